"""Intake: from the event source to the register, one batch being read while the one before is registered.

Two loops. The reader takes partitions over, polls, and reads messages (the expensive part that needs no
database) while PostgreSQL works on the batch before. The registrar hands batches to the register one by
one.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import asyncpg

from services.broker.arrival import read_arrival
from services.broker.batch import Batch, Span
from services.broker.partitions import Partitions
from services.broker.register import FencedError
from services.broker.source import OffsetsLostError, SourceError
from services.runtime.logs import logger
from services.runtime.stopping import wait_for

if TYPE_CHECKING:
    from collections.abc import Sequence

    from services.broker.register import Register
    from services.broker.settings import BrokerSettings
    from services.broker.source import EventSource, Message
    from services.broker.status import BrokerStatus

log = logger(__name__)
_CHUNK = 100
"""Messages read between two turns of the event loop: some ms, so that the batch at PostgreSQL goes on."""
_RETRY_SECONDS = 0.5
_PASSING = (SourceError, OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)


class Intake:
    def __init__(
        self,
        source: EventSource,
        pool: asyncpg.Pool,
        register: Register,
        settings: BrokerSettings,
        status: BrokerStatus,
    ) -> None:
        self._source = source
        self._register = register
        self._settings = settings
        self._status = status
        self._queue: asyncio.Queue[Batch] = asyncio.Queue(maxsize=1)
        self._draining = False
        self.partitions = Partitions(
            source,
            pool,
            status,
            accept_lost=settings.kafka_accept_lost_offsets,
            reclaim_seconds=settings.kafka_session_timeout_ms / 1000,
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop`; then the batch at hand is finished, within `drain_seconds`, and the group left."""
        await self._source.start(self._drain)
        self._status.rebalancing_since = self._status.clock()
        registrar = asyncio.create_task(self._registrar(), name="registrar")
        checker = asyncio.create_task(self._checker(stop), name="log-checker")
        reader = asyncio.create_task(self._reader(stop), name="reader")
        try:
            # None of them ends before `stop` but by a fault, which must not go unseen.
            await asyncio.wait({registrar, checker, reader}, return_when=asyncio.FIRST_COMPLETED)
            if stop.is_set():
                await reader
                await self._drain()
        finally:
            for task in (reader, checker, registrar):
                task.cancel()
            ended = await asyncio.gather(reader, checker, registrar, return_exceptions=True)
            await self._source.stop()
        for error in ended:
            if isinstance(error, Exception):
                raise error

    async def _drain(self) -> None:
        """Finish what was read, within `drain_seconds`; what is left over is void, and read by whoever is
        next.
        """
        self._draining = True
        self._status.rebalancing_since = self._status.clock()
        try:
            async with asyncio.timeout(self._settings.drain_seconds):
                await self._queue.join()
        except TimeoutError:
            log.warning("drain_given_up", seconds=self._settings.drain_seconds)
        self.partitions.void()

    async def _reader(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            self._status.intake_beat = self._status.clock()
            try:
                if not self._source.rebalancing:
                    self._draining = False
                    self._status.rebalancing_since = None
                    await self.partitions.take_over()
                session = self.partitions.session
                messages = await self._source.poll(
                    self._settings.batch_events, self._settings.poll_milliseconds / 1000
                )
            except OffsetsLostError as error:
                self._check_positions(error.positions)
                continue
            except _PASSING as error:
                log.warning("intake_waits", error=type(error).__name__)
                await wait_for(stop, _RETRY_SECONDS)
                continue
            self._status.polled_at = self._status.clock()
            if messages:
                messages = await self._linger(messages)
                await self._hand_over(session, messages)

    async def _linger(self, messages: Sequence[Message]) -> Sequence[Message]:
        """More messages, if they come soon: larger batches for a longer wait."""
        seconds = self._settings.linger_milliseconds / 1000
        if not seconds or len(messages) >= self._settings.batch_events:
            return messages
        await asyncio.sleep(seconds)
        try:
            more = await self._source.poll(self._settings.batch_events - len(messages), 0)
        except (OffsetsLostError, SourceError):
            return messages  # what is wrong shows itself at the next poll
        return [*messages, *more]

    async def _hand_over(self, session: int, messages: Sequence[Message]) -> None:
        arrivals = []
        reach: dict[int, list[int]] = {}
        for at, message in enumerate(messages):
            if at % _CHUNK == _CHUNK - 1:
                await asyncio.sleep(0)
            position = self.partitions.positions.get(message.partition)
            if self.partitions.session != session or self._draining:
                return
            if position is None or message.offset < position.read:
                continue  # fetched before we had placed ourselves
            arrivals.append(read_arrival(message, self._settings.max_event_bytes))
            reach.setdefault(message.partition, [position.read, 0])[1] = message.offset + 1
            position.read = message.offset + 1
        if arrivals:
            positions = self.partitions.positions
            spans = tuple(Span(p, positions[p].epoch, first, end) for p, (first, end) in reach.items())
            await self._queue.put(Batch(self._source.topic, session, spans, tuple(arrivals)))

    async def _registrar(self) -> None:
        while True:
            batch = await self._queue.get()
            try:
                if batch.session == self.partitions.session:
                    await self._register.register(batch)
                    self.partitions.registered({span.partition: span.next for span in batch.spans})
            except FencedError as error:
                # A batch of an earlier session says nothing about what we hold now.
                if batch.session == self.partitions.session:
                    self.partitions.fenced(error.partitions)
            finally:
                self._queue.task_done()

    async def _checker(self, stop: asyncio.Event) -> None:
        while not await wait_for(stop, self._settings.topic_check_seconds):
            try:
                if not self._source.rebalancing:
                    await self.partitions.check_log()
                    await self._source.hint(
                        {p: position.registered for p, position in self.partitions.positions.items()}
                    )
            except _PASSING as error:
                log.debug("log_not_checked", error=type(error).__name__)

    def _check_positions(self, lost: dict[int, int]) -> None:
        """Kafka said that it has not what we asked for: only for positions that are ours does it matter."""
        ours = [p for p, offset in lost.items() if p in self.partitions.positions]
        log.warning("offsets_out_of_range", offsets=lost, ours=ours)
        if ours:
            self.partitions.give_up(ours)
