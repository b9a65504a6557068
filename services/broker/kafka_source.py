"""EventSource on aiokafka, with the traps of aiokafka 0.14 closed.

- Positions are ours alone: every partition is paused the moment it is assigned, and moves only after `seek`.
  Until then aiokafka may already have fetched from the group's committed offset; the seek discards that.
- `getmany` is called by nobody else, holds no lock of ours, and is called while unassigned too: a member that
  does not poll can never rejoin (aiokafka #1187). It waits without limit in a rebalance, hence the time-out.
- An exception in a rebalance listener is logged and swallowed: ours does nothing that can fail.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError, NoOffsetForPartitionError, OffsetOutOfRangeError

from services.broker.kafka_client import client_options, stop_client
from services.broker.source import LogBounds, OffsetsLostError, SourceError
from services.broker.topics import TopicDirectory
from services.runtime.logs import logger

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

    from services.broker.settings import BrokerSettings
    from services.broker.source import Message

log = logger(__name__)
_SETTLE_SECONDS = 2.0  # getmany may need this beyond its own time-out, and no longer


class KafkaSource(ConsumerRebalanceListener):  # type: ignore[misc]
    def __init__(self, settings: BrokerSettings) -> None:
        self.topic = settings.kafka_events_topic
        self.generation = 0
        self.assigned: frozenset[int] = frozenset()
        self.rebalancing = True
        self._settings = settings
        self._directory = TopicDirectory(settings)
        self._consumer: AIOKafkaConsumer | None = None
        self._revoked: Callable[[], Awaitable[None]] | None = None

    async def start(self, revoked: Callable[[], Awaitable[None]]) -> None:
        self._revoked = revoked
        consumer = AIOKafkaConsumer(
            **client_options(self._settings, "liancheng-broker"),
            group_id=self._settings.kafka_group,
            enable_auto_commit=False,
            auto_offset_reset="none",
            isolation_level="read_committed",
            session_timeout_ms=self._settings.kafka_session_timeout_ms,
            heartbeat_interval_ms=self._settings.kafka_session_timeout_ms // 3,
            rebalance_timeout_ms=self._settings.kafka_rebalance_timeout_ms,
            max_poll_interval_ms=self._settings.kafka_max_poll_interval_ms,
        )
        try:
            await consumer.start()
        except BaseException:
            await stop_client(consumer, self._settings.drain_seconds)
            raise
        self._consumer = consumer
        consumer.subscribe([self.topic], listener=self)

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        self.rebalancing = True
        log.info("partitions_revoked", partitions=sorted(tp.partition for tp in revoked))
        if self._revoked is not None:
            await self._revoked()
        self.assigned = frozenset()

    def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        self._reader.pause(*assigned)
        self.assigned = frozenset(tp.partition for tp in assigned)
        self.generation += 1
        self.rebalancing = False
        log.info("partitions_assigned", partitions=sorted(self.assigned), generation=self.generation)

    async def poll(self, most: int, seconds: float) -> Sequence[Message]:
        try:
            async with asyncio.timeout(seconds + _SETTLE_SECONDS):
                found = await self._reader.getmany(timeout_ms=int(seconds * 1000), max_records=most)
        except TimeoutError:
            return ()
        except NoOffsetForPartitionError:
            # The group has no offset of a partition that we have not yet placed: ours comes with `seek`.
            return ()
        except OffsetOutOfRangeError as error:
            raise OffsetsLostError({tp.partition: offset for tp, offset in error.args[0].items()}) from error
        except KafkaError as error:
            raise SourceError(type(error).__name__) from error
        batches = list(found.values())
        return batches[0] if len(batches) == 1 else [message for batch in batches for message in batch]

    async def topic_id(self) -> str | None:
        try:
            return (await self._directory.ids(self.topic)).get(self.topic)
        except (KafkaError, OSError) as error:
            raise SourceError(type(error).__name__) from error

    async def bounds(self, partitions: Iterable[int]) -> dict[int, LogBounds]:
        wanted = [TopicPartition(self.topic, partition) for partition in partitions]
        if not wanted:
            return {}
        try:
            start, end = await asyncio.gather(
                self._reader.beginning_offsets(wanted), self._reader.end_offsets(wanted)
            )
        except (KafkaError, IllegalStateError, OSError) as error:
            raise SourceError(type(error).__name__) from error
        return {tp.partition: LogBounds(start[tp], end[tp]) for tp in wanted}

    def seek(self, offsets: Mapping[int, int]) -> None:
        current = self._reader.assignment()
        for partition, offset in offsets.items():
            place = TopicPartition(self.topic, partition)
            if place in current:
                self._reader.seek(place, offset)
                self._reader.resume(place)

    def rest(self, partitions: Iterable[int]) -> None:
        current = self._reader.assignment()
        places = [TopicPartition(self.topic, partition) for partition in partitions]
        self._reader.pause(*(place for place in places if place in current))

    async def hint(self, offsets: Mapping[int, int]) -> None:
        if not offsets:  # nothing assigned: aiokafka refuses an empty commit
            return
        try:
            await self._reader.commit(
                {TopicPartition(self.topic, p): offset for p, offset in offsets.items()}
            )
        except (KafkaError, IllegalStateError) as error:
            log.debug("group_offset_not_committed", error=type(error).__name__)

    async def stop(self) -> None:
        if self._consumer is not None:
            consumer, self._consumer = self._consumer, None
            await stop_client(consumer, self._settings.drain_seconds)
        await self._directory.close()

    @property
    def _reader(self) -> AIOKafkaConsumer:
        if self._consumer is None:
            raise SourceError("not started")
        return self._consumer
