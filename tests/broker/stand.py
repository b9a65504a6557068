"""A register, a log and settings over a test's own database."""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from schemas.catalogue.load import load_catalogue
from services.broker.arrival import read_arrival
from services.broker.batch import Batch, Span
from services.broker.claims import claim
from services.broker.hot_connection import HotConnection
from services.broker.register import Clocks
from services.broker.service import make_register
from services.broker.settings import BrokerSettings
from services.broker.source import LogBounds, OffsetsLostError, SourceError
from services.broker.status import BrokerStatus
from services.runtime.sealing import new_key
from tests.broker.events import MAX_BYTES, TODAY, message

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

    import asyncpg

    from services.broker.register import Register
    from services.broker.source import Message
    from tests.broker.events import TestMessage
    from tests.stack import TestDatabase

TOPIC = "events"
_KEY = new_key()
Content = dict[str, Any] | bytes | None


def broker_settings(database: TestDatabase, **more: Any) -> BrokerSettings:
    return BrokerSettings(
        broker_database_url=database.broker_dsn,
        api_database_url=database.api_dsn,
        data_key=_KEY,
        kafka_events_topic=more.pop("topic", TOPIC),
        poll_milliseconds=50,
        api_port=0,
        **more,
    )


def test_clocks() -> Clocks:
    return Clocks(lambda: datetime.now(UTC), lambda: TODAY)


test_clocks.__test__ = False  # type: ignore[attr-defined]


class RegisterStand:
    """A register with its own connection, and the offsets of a topic that it is fed."""

    def __init__(
        self, database: TestDatabase, pool: asyncpg.Pool, status: BrokerStatus | None = None
    ) -> None:
        self.database = database
        self.pool = pool
        self.status = status or BrokerStatus()
        self.connection = HotConnection(database.broker_dsn, "test-register", {}, command_timeout=20)
        settings = broker_settings(database)
        self.register: Register = make_register(
            settings, load_catalogue(), self.connection, test_clocks(), self.status
        )
        self.epochs: dict[int, int] = {}
        self.offsets: dict[int, int] = {}

    async def take(self, *partitions: int) -> None:
        """Take these partitions over, as an assignment does."""
        for found in await claim(self.pool, TOPIC, None, partitions):
            self.epochs[found.partition] = found.epoch
            self.offsets[found.partition] = found.next_offset

    def batch(self, contents: Iterable[tuple[int, Content]]) -> Batch:
        """A batch of (partition, content), at the offsets that come next."""
        first = dict(self.offsets)
        arrivals = []
        for partition, content in contents:
            arrivals.append(read_arrival(message(content, self.offsets[partition], partition), MAX_BYTES))
            self.offsets[partition] += 1
        touched = {arrival.message.partition for arrival in arrivals}
        spans = tuple(Span(p, self.epochs[p], first[p], self.offsets[p]) for p in sorted(touched))
        return Batch(TOPIC, 0, spans, tuple(arrivals))

    async def put(self, *contents: Content, partition: int = 0) -> None:
        await self.register.register(self.batch([(partition, content) for content in contents]))

    async def close(self) -> None:
        await self.connection.close()


async def verdict_counts(pool: asyncpg.Pool) -> dict[str, int]:
    rows = await pool.fetch("select verdict, count(*) from inbox group by verdict")
    return {row["verdict"]: row["count"] for row in rows}


async def assert_sound(pool: asyncpg.Pool) -> None:
    """What must hold of every database at any time: dense numbers, versions in order, projections true."""
    head = await pool.fetchrow("select feed, verdict from sequence_head")
    feed = await pool.fetch("select seq, record_uid, version, lane, subject, state from feed order by seq")
    assert [row["seq"] for row in feed] == list(range(1, head["feed"] + 1))
    numbers = [row["verdict_seq"] for row in await pool.fetch("select verdict_seq from verdict order by 1")]
    assert numbers == list(range(1, head["verdict"] + 1))
    newest: dict[str, asyncpg.Record] = {}
    for row in feed:
        before = newest.get(row["record_uid"])
        assert row["version"] == (before["version"] if before else 0) + 1
        newest[row["record_uid"]] = row
    records = await pool.fetch("select record_uid, version, seq, state from record")
    assert {(r["record_uid"], r["version"], r["seq"], r["state"]) for r in records} == {
        (row["record_uid"], row["version"], row["seq"], row["state"]) for row in newest.values()
    }
    # One row per message, and its newest verdict row says what it says.
    assert not await pool.fetch(
        "select inbox_id from inbox i where i.verdict <> (select v.verdict from verdict v"
        " where v.inbox_id = i.inbox_id order by verdict_seq desc limit 1)"
    )
    assert not await pool.fetch(
        "select kafka_offset from inbox group by kafka_partition, kafka_offset having count(*) > 1"
    )
    refused = await pool.fetchval("select count(*) from inbox where verdict = 'REFUSED'")
    assert refused <= await pool.fetchval("select count(*) from dead_letter")


class TestLog:
    """A partitioned log in memory, and a group of readers of it: an EventSource each."""

    __test__ = False

    def __init__(self, partitions: int = 1) -> None:
        self.id: str | None = "topic-1"
        self.messages: dict[int, deque[TestMessage]] = {p: deque() for p in range(partitions)}
        self.starts = dict.fromkeys(range(partitions), 0)
        self.ends = dict.fromkeys(range(partitions), 0)
        self.down = False

    def append(self, *contents: Content, partition: int = 0) -> None:
        for content in contents:
            self.messages[partition].append(message(content, self.ends[partition], partition))
            self.ends[partition] += 1

    def forget(self, partition: int, start: int) -> None:
        """Retention: nothing before `start` is left."""
        self.starts[partition] = start
        while self.messages[partition] and self.messages[partition][0].offset < start:
            self.messages[partition].popleft()


class TestSource:
    """One reader of a TestLog; tests assign and revoke its partitions."""

    __test__ = False

    def __init__(self, log: TestLog) -> None:
        self.topic = TOPIC
        self.generation = 0
        self.assigned: frozenset[int] = frozenset()
        self.rebalancing = True
        self.hints: dict[int, int] = {}
        self.stopped = False
        self._log = log
        self._at: dict[int, int] = {}
        self._revoked: Callable[[], Awaitable[None]] | None = None
        self._turns = itertools.count()

    async def start(self, revoked: Callable[[], Awaitable[None]]) -> None:
        self._revoked = revoked

    def assign(self, *partitions: int) -> None:
        self.assigned, self._at = frozenset(partitions), {}
        self.generation += 1
        self.rebalancing = False

    async def revoke(self) -> None:
        self.rebalancing = True
        if self._revoked is not None:
            await self._revoked()
        self.assigned = frozenset()

    async def poll(self, most: int, seconds: float) -> Sequence[Message]:
        if self._log.down:
            raise SourceError("down")
        if not self.rebalancing:
            for partition, offset in self._at.items():
                if not self._log.starts[partition] <= offset <= self._log.ends[partition]:
                    raise OffsetsLostError({partition: offset})
            found = [
                message
                for partition, offset in self._at.items()
                for message in self._log.messages[partition]
                if message.offset >= offset
            ][:most]
            if found:
                for read in found:
                    self._at[read.partition] = read.offset + 1
                return found
        await asyncio.sleep(min(seconds, 0.005))
        return ()

    async def topic_id(self) -> str | None:
        return self._log.id

    async def bounds(self, partitions: Iterable[int]) -> dict[int, LogBounds]:
        if self._log.down:
            raise SourceError("down")
        return {p: LogBounds(self._log.starts[p], self._log.ends[p]) for p in partitions}

    def seek(self, offsets: Mapping[int, int]) -> None:
        self._at |= {p: offset for p, offset in offsets.items() if p in self.assigned}

    def rest(self, partitions: Iterable[int]) -> None:
        for partition in partitions:
            self._at.pop(partition, None)

    async def hint(self, offsets: Mapping[int, int]) -> None:
        self.hints |= offsets

    async def stop(self) -> None:
        self.stopped = True


async def until(condition: Callable[[], Awaitable[bool] | bool], seconds: float = 20) -> None:
    """Wait until the condition holds; fails after `seconds`."""
    async with asyncio.timeout(seconds):
        while True:
            answer = condition()
            if answer is True or (not isinstance(answer, bool) and await answer):
                return
            await asyncio.sleep(0.01)
