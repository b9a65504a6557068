"""Admission: feeds one shard reader with rows of the feed and with parked lanes that come due."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from services.publisher.owed import owed_rows
from services.publisher.shard_reader import ShardReader
from services.runtime.logs import logger
from services.runtime.postgres import is_connection_loss
from services.runtime.stopping import wait_for

if TYPE_CHECKING:
    import asyncpg

    from services.publisher.dispatcher import Dispatcher
    from services.publisher.feed_pages import FeedPages
    from services.publisher.feed_row import FeedRow
    from services.publisher.lanes import Delivery
    from services.publisher.leases import Claimed
    from services.publisher.settle import Settler

log = logger(__name__)


class Admission:
    """One leased (destination, shard): its reader, what surrounds it, and the two loops that feed it.

    `progress` is set whenever something of the reader became durable.
    """

    def __init__(
        self,
        lease: Claimed,
        dispatcher: Dispatcher,
        settler: Settler,
        pages: FeedPages,
        pool: asyncpg.Pool,
        publisher: str,
        max_lanes: int,
    ) -> None:
        self.dispatcher = dispatcher
        self.progress = asyncio.Event()
        self.reader = ShardReader(
            lease.destination, lease.shard, lease.token, publisher, self, time.time, time.monotonic
        )
        self._settler, self._pages, self._pool, self._max_lanes = settler, pages, pool, max_lanes
        self._due = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def dispatch(self, delivery: Delivery) -> None:
        self.dispatcher.dispatch(delivery)

    def changed(self, reader: ShardReader) -> None:
        self._settler.changed(reader)

    def due_changed(self, _reader: ShardReader) -> None:
        self._due.set()

    def start(self, group: asyncio.TaskGroup) -> None:
        self._tasks = [group.create_task(self._follow()), group.create_task(self._retry())]

    async def stop(self) -> None:
        """End both loops; what they admitted stays with the reader."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []

    async def drain(self, deadline: float) -> None:
        """Let nothing new leave, wait for answers until `deadline` (monotonic), settle the rest."""
        await self.stop()
        reader = self.reader
        self.dispatcher.take_back(reader)
        while reader.in_flight and not reader.lost and time.monotonic() < deadline:
            self.progress.clear()
            await wait_for(self.progress, deadline - time.monotonic())
            self.dispatcher.take_back(reader)
        if not reader.lost:
            reader.lay_down()
        while not reader.lost and not self._settler.is_settled(reader):
            self.progress.clear()
            await self.progress.wait()

    async def _follow(self) -> None:
        reader, destination = self.reader, self.dispatcher.destination
        while True:
            page = await self._pages.after(reader.loaded_to)
            rows = page.of_shard(destination.shards, reader.shard)
            if page.first <= reader.loaded_to:
                rows = [row for row in rows if row.seq > reader.loaded_to]
            for row in await self._owed(rows):
                await self._admit(row)
            reader.pass_to(page.last)

    async def _owed(self, rows: list[FeedRow]) -> list[FeedRow]:
        while True:
            try:
                return await owed_rows(self._pool, self.dispatcher.destination, rows, (self.reader,))
            except Exception as error:
                if not is_connection_loss(error):
                    raise
                log.warning("ledger_unreachable", error=type(error).__name__)
                await asyncio.sleep(0.2)

    async def _admit(self, row: FeedRow) -> None:
        reader, budget = self.reader, self.dispatcher.budget
        while len(reader.lanes) >= self._max_lanes and row.lane not in reader.lanes:
            self.progress.clear()
            await self.progress.wait()
        taken = reader.needs_unit(row)
        if taken:
            await budget.take()
        # The lane may have been parked while we waited for the unit; it can't have opened without one.
        if not reader.admit(row) and taken:
            budget.give(1)

    async def _retry(self) -> None:
        reader, budget = self.reader, self.dispatcher.budget
        while True:
            self._due.clear()
            due = reader.next_due()
            if due is None:
                await self._due.wait()
                continue
            wait = due - time.monotonic()
            if wait > 0:
                await wait_for(self._due, wait)
                continue
            await budget.take()
            if not reader.retry():
                budget.give(1)
