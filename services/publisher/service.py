"""The publisher: claims leases, reads the feed, pushes, settles, and leaves nothing unsaid when it stops."""

from __future__ import annotations

import asyncio
import os
import random
import secrets
import socket
import time
from typing import TYPE_CHECKING

from services.publisher import destinations as destination_store
from services.publisher.admission import Admission
from services.publisher.dispatcher import Concurrency, Dispatcher
from services.publisher.feed_pages import FeedPages
from services.publisher.leases import Claimed, Leases
from services.publisher.metrics import PublisherMetrics
from services.publisher.owed import owed_rows
from services.publisher.recovery import take_over
from services.publisher.retry import RetrySchedule
from services.publisher.settle import Settler
from services.publisher.wire.addresses import Resolver
from services.publisher.wire.dial import tls_context
from services.publisher.wire.sender import HttpSender
from services.runtime.feed_listener import listen
from services.runtime.logs import logger
from services.runtime.postgres import connect_pool, is_connection_loss
from services.runtime.sealing import SealingKeys
from services.runtime.stopping import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable

    import asyncpg

    from services.publisher.destinations import Destination
    from services.publisher.feed_row import FeedRow
    from services.publisher.settings import PublisherSettings
    from services.publisher.shard_reader import ShardReader
    from services.publisher.wire.answer import Answer

log = logger(__name__)

Key = tuple[str, int]


def process_name() -> str:
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(3)}"


class Publisher:
    """One process's share of the work. `run` returns when `stop` is set and everything is laid down."""

    def __init__(self, settings: PublisherSettings) -> None:
        self.settings = settings
        self.name = settings.publisher_id or process_name()
        self.metrics = PublisherMetrics()
        self.admissions: dict[Key, Admission] = {}
        self.dispatchers: dict[str, Dispatcher] = {}
        self.pool: asyncpg.Pool | None = None  # from the moment it is connected
        self.last_look = time.monotonic()  # when leases were last looked after, successfully
        self._destinations: dict[str, Destination] = {}
        self._leaving: dict[Key, asyncio.Task[None]] = {}
        self._concurrency = Concurrency(settings.max_in_flight)
        self._schedule = RetrySchedule(settings.retry_base_seconds, settings.retry_cap_seconds)
        self._sealing = SealingKeys(settings.data_key.get_secret_value())

    async def run(self, stop: asyncio.Event) -> None:
        settings = self.settings
        dsn = settings.publisher_database_url.get_secret_value()
        self.pool = self._pool = await connect_pool(
            dsn, f"liancheng-publisher {self.name}", max_size=settings.database_connections
        )
        self._resolver = Resolver(settings.wire)
        self._tls = tls_context(settings.wire)
        self.pages = FeedPages(
            self._pool, settings.feed_page_rows, settings.feed_cache_rows, settings.poll_seconds
        )
        self.settler = Settler(
            self._pool,
            self.name,
            settings.lease_seconds,
            settings.lease_margin_seconds,
            self._released,
            self._lost,
            self._settle_failed,
        )
        self._leases = Leases(self._pool, self.name, settings.lease_seconds)
        log.info("publisher_started", publisher=self.name)
        async with asyncio.TaskGroup() as self._group:
            standing = [
                self._group.create_task(self.settler.run()),
                self._group.create_task(self._follow_feed()),
                self._group.create_task(listen(dsn, "liancheng_feed", self.pages.wake)),
            ]
            await self._look_after_leases(stop)
            await self._lay_down()
            for task in standing:
                task.cancel()
        await self._pool.close()
        log.info("publisher_stopped", publisher=self.name)

    async def _follow_feed(self) -> None:
        while True:
            try:
                await self.pages.follow()
            except Exception as error:
                if not is_connection_loss(error):
                    raise
                log.warning("feed_unreachable", error=type(error).__name__)
                await asyncio.sleep(self.settings.claim_seconds)

    # Leases ---------------------------------------------------------------------------------------------

    async def _look_after_leases(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                await self._look()
                self.last_look = time.monotonic()
            except Exception as error:
                if not is_connection_loss(error):
                    raise
                log.warning("database_unreachable", error=type(error).__name__)
            await wait_for(stop, self.settings.claim_seconds)

    async def _look(self) -> None:
        """Renew, let go what is too much or no longer wanted, claim what is free."""
        for admission in self.admissions.values():
            self.settler.changed(admission.reader)  # a settled lease is a renewed one
        await self._refresh_destinations()
        share = await self._leases.fair_share()
        held = [key for key in self.admissions if key not in self._leaving]
        for key in sorted(held, key=self._rank_in_destination, reverse=True)[: max(0, len(held) - share)]:
            self._let_go(key)
        wanted = share - len(self.admissions)
        if wanted > 0:
            await self._claim(wanted)
        self._show()

    def _rank_in_destination(self, key: Key) -> tuple[int, str, int]:
        """Keys of destinations that hold most shards here come first, so that what goes is spread."""
        return (sum(other[0] == key[0] for other in self.admissions), *key)

    async def _refresh_destinations(self) -> None:
        known = self._destinations
        self._destinations, broken = await destination_store.load_active(self._pool, self._sealing, known)
        for code, reason in broken.items():
            log.error("destination_unusable", destination=code, reason=reason)
        for key in self.admissions:
            code = key[0]
            if self._destinations.get(code) is not known.get(code) and key not in self._leaving:
                self._let_go(key)

    async def _claim(self, most: int) -> None:
        # A destination whose old dispatcher still drains is claimed when that has ended.
        usable = [code for code in self._destinations if not any(key[0] == code for key in self._leaving)]
        asked_at = time.monotonic()
        won = await self._leases.claim(most, usable)
        if not won:
            return
        fresh = [(lease, self._admission(lease)) for lease in won]
        try:
            await take_over(
                self._pool,
                [(lease, a.reader, self._destinations[lease.destination].shards) for lease, a in fresh],
                self.pages.rows,
                self._owed,
            )
        except Exception:
            # Nothing was sent under these tokens: without a reader they lapse and are claimed again.
            log.exception("take_over_failed", leases=len(won))
            raise
        deadline = asked_at + self.settings.lease_seconds - self.settings.lease_margin_seconds
        for lease, admission in fresh:
            admission.reader.deadline = deadline
            admission.dispatcher.budget.charge(admission.reader.held)
            self.admissions[lease.destination, lease.shard] = admission
            self.settler.changed(admission.reader)
            admission.start(self._group)
        log.info("leases_claimed", leases=len(won), held=len(self.admissions))

    async def _owed(self, code: str, rows: list[FeedRow]) -> list[FeedRow]:
        return await owed_rows(self._pool, self._destinations[code], rows, ())

    def _admission(self, lease: Claimed) -> Admission:
        dispatcher = self.dispatchers.get(lease.destination)
        if dispatcher is None:
            dispatcher = self._dispatcher(self._destinations[lease.destination])
            self.dispatchers[lease.destination] = dispatcher
        return Admission(
            lease, dispatcher, self.settler, self.pages, self._pool, self.name, self.settings.max_lanes
        )

    def _dispatcher(self, destination: Destination) -> Dispatcher:
        limits = self.settings.wire
        if destination.connections is not None:
            limits = limits.model_copy(update={"connections": destination.connections})

        def make_sender(on_answer: Callable[[object, Answer], None]) -> HttpSender:
            return HttpSender(destination.target, limits, on_answer, resolver=self._resolver, tls=self._tls)

        return Dispatcher(
            destination,
            make_sender,
            max_unsettled=destination.max_unsettled or self.settings.max_unsettled,
            concurrency=self._concurrency,
            schedule=self._schedule,
            uniform=random.random,
            metrics=self.metrics,
            gone=self._gone,
        )

    def _gone(self, dispatcher: Dispatcher) -> None:
        code = dispatcher.destination.code
        log.error("destination_gone", destination=code, status=410)
        self._group.create_task(destination_store.stop(self._pool, code, "the receiver answered 410 Gone"))

    # What the settler says ------------------------------------------------------------------------------

    def _released(self, reader: ShardReader, units: int) -> None:
        admission = self.admissions.get((reader.destination, reader.shard))
        if admission is not None and admission.reader is reader:
            if units:
                admission.dispatcher.budget.give(units)
            admission.progress.set()
            admission.dispatcher.renewed()

    def _lost(self, reader: ShardReader) -> None:
        if reader.lost:
            return
        reader.lost = True
        key = (reader.destination, reader.shard)
        log.warning("lease_lost", destination=key[0], shard=key[1], token=reader.token)
        admission = self.admissions.get(key)
        if admission is None or admission.reader is not reader:
            return
        admission.dispatcher.budget.give(reader.held)
        admission.progress.set()
        if key not in self._leaving:
            self._let_go(key)

    # Leaving --------------------------------------------------------------------------------------------

    def _let_go(self, key: Key) -> None:
        task = self._group.create_task(self._hand_over(key))
        self._leaving[key] = task

    async def _hand_over(self, key: Key) -> None:
        admission = self.admissions[key]
        reader = admission.reader
        await admission.drain(time.monotonic() + self.settings.drain_seconds)
        if not reader.lost:
            await self._leases.release([(*key, reader.token)])
        reader.lost = True
        del self.admissions[key]
        del self._leaving[key]
        code = key[0]
        if not any(other[0] == code for other in self.admissions):
            dispatcher = self.dispatchers.pop(code)
            await dispatcher.sender.close(0)
        log.info("lease_left", destination=code, shard=key[1])

    async def _lay_down(self) -> None:
        """Stop: drain to the deadline, settle, release everything, say farewell."""
        for key in self.admissions:
            if key not in self._leaving:
                self._let_go(key)
        try:
            # Once for the receivers' answers, once for a database that is away. What it does not learn now,
            # the next owner finds announced, and ledgers as unknown.
            async with asyncio.timeout(2 * self.settings.drain_seconds):
                await asyncio.gather(*self._leaving.values())
                await self._leases.leave()
        except TimeoutError:
            log.warning("stopped_without_database", leases=len(self.admissions))

    def _settle_failed(self) -> None:
        self.metrics.settle_retries += 1

    def _show(self) -> None:
        newest = self.pages.newest
        for code in self.dispatchers:
            mine = [a.reader for key, a in self.admissions.items() if key[0] == code]
            shown = self.metrics.of_destination(code)
            shown.leases = len(mine)
            shown.lanes = sum(len(reader.lanes) for reader in mine)
            shown.unread_rows = max((max(0, newest - r.durable_position) for r in mine), default=0)
