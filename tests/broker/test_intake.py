"""Intake over a log in memory and a real register: rebalances, zombies, restarts, bad input."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from services.broker.intake import Intake
from tests.broker.events import changed, event, listing, uscc
from tests.broker.stand import (
    RegisterStand,
    TestLog,
    TestSource,
    assert_sound,
    broker_settings,
    until,
    verdict_counts,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import asyncpg

    from services.broker.status import BrokerStatus
    from tests.stack import TestDatabase

pytestmark = pytest.mark.asyncio


class Running:
    """An intake at work on a TestLog."""

    def __init__(self, log: TestLog, stand: RegisterStand, **settings: Any) -> None:
        self.source = TestSource(log)
        self.stand = stand
        self.status: BrokerStatus = stand.status
        self.stop = asyncio.Event()
        given = broker_settings(stand.database, topic_check_seconds=0.1, **settings)
        self.intake = Intake(self.source, stand.pool, stand.register, given, self.status)
        self.task = asyncio.create_task(self.intake.run(self.stop))

    async def registered(self, *, count: int) -> None:
        await until(lambda: self._count_is(count))

    async def _count_is(self, count: int) -> bool:
        self.task.done() and self.task.result()
        return bool(await self.stand.pool.fetchval("select count(*) from inbox") == count)

    async def end(self) -> None:
        self.stop.set()
        await self.task


@asynccontextmanager
async def running(
    log: TestLog, database: TestDatabase, pool: asyncpg.Pool, **settings: Any
) -> AsyncIterator[Running]:
    stand = RegisterStand(database, pool)
    made = Running(log, stand, **settings)
    try:
        yield made
    finally:
        if not made.task.done():
            await made.end()
        await stand.close()


def events(count: int, first: int = 0) -> list[dict[str, Any]]:
    return [listing(f"l-{n}", uscc(n), case_id=f"WH-{n}") for n in range(first, first + count)]


async def test_everything_is_read_once_and_the_group_is_told(
    database: TestDatabase, broker_pool: asyncpg.Pool
) -> None:
    log = TestLog(3)
    for at, found in enumerate(events(300)):
        log.append(found, partition=at % 3)
    async with running(log, database, broker_pool, batch_events=70) as one:
        one.source.assign(0, 1, 2)
        await one.registered(count=300)
        log.append(*events(10, 300))
        await one.registered(count=310)
        await until(lambda: one.source.hints == {0: 110, 1: 100, 2: 100})
        assert one.status.started
        assert one.status.ready()[0]
    assert one.source.stopped
    assert await verdict_counts(broker_pool) == {"ACCEPTED": 310}
    await assert_sound(broker_pool)


WRONG = "91150304M0000C0380"
BAD = [
    (b"", {"E_NOT_JSON"}),
    (None, {"E_NOT_JSON"}),
    (b"{", {"E_NOT_JSON"}),
    (b"\xff\xfe\x00", {"E_NOT_JSON"}),
    (b"[1, 2]", {"E_SCHEMA"}),
    (b'{"a": "' + b"x" * 5_000_000 + b'"}', {"E_NOT_JSON"}),
    (event("cn.capacity-exit.unknown", "u-1", {}), {"E_UNKNOWN_TYPE"}),
    (event("cn.capacity-exit.publicity.expired", "u-2", {}), {"E_UNKNOWN_TYPE"}),
    (changed(listing(subject=WRONG), "subject", WRONG), {"E_USCC_CHECKSUM"}),
    (changed(listing(), "data.enterprise", ...), {"E_SCHEMA"}),
    (changed(listing(), "data.dimensions", "ENERGY"), {"E_SCHEMA"}),
    (changed(listing(), "data.decision.decided_on", "2026-02-30"), {"E_SCHEMA"}),
    (changed(listing(), "data.enterprise.name", "n\0"), {"E_SCHEMA"}),
    (changed(listing(), "id", "i" * 1000), {"E_FIELD_TOO_LONG"}),
]  # fmt: skip


async def test_bad_input_becomes_dead_letters_and_the_good_event_behind_goes_through(
    database: TestDatabase, broker_pool: asyncpg.Pool
) -> None:
    log = TestLog()
    log.append(*(content for content, _ in BAD), listing("good"))
    async with running(log, database, broker_pool) as one:
        one.source.assign(0)
        await one.registered(count=len(BAD) + 1)
    assert await verdict_counts(broker_pool) == {"REFUSED": len(BAD), "ACCEPTED": 1}
    letters = await broker_pool.fetch("select kafka_offset, codes, size_bytes from dead_letter order by 1")
    assert [set(row["codes"]) for row in letters] == [expected for _, expected in BAD]
    assert [row["kafka_offset"] for row in letters] == list(range(len(BAD)))
    assert letters[5]["size_bytes"] > 5_000_000
    bodies = [orjson.loads(row["body"]) for row in await broker_pool.fetch("select body from verdict")]
    assert sum(body["verdict"] == "REFUSED" for body in bodies) == len(BAD)
    await assert_sound(broker_pool)


async def test_two_brokers_pass_partitions_to_and_fro_without_losing_or_doubling(
    database: TestDatabase, broker_pool: asyncpg.Pool
) -> None:
    log = TestLog(4)

    async def produce() -> None:
        for at, found in enumerate(events(800)):
            log.append(found, partition=at % 4)
            if at % 20 == 0:
                await asyncio.sleep(0.005)

    async with (
        running(log, database, broker_pool, batch_events=15) as one,
        running(log, database, broker_pool, batch_events=15) as two,
    ):
        producing = asyncio.create_task(produce())
        for turn in range(8):
            mine = (0, 1, 2, 3)[: turn % 5]
            await asyncio.gather(one.source.revoke(), two.source.revoke())
            one.source.assign(*mine)
            two.source.assign(*(p for p in range(4) if p not in mine))
            await asyncio.sleep(0.05)
        await producing
        await one.registered(count=800)
    assert await verdict_counts(broker_pool) == {"ACCEPTED": 800}
    await assert_sound(broker_pool)


async def test_a_broker_that_missed_its_revocation_is_fenced_and_comes_back_on_the_next_assignment(
    database: TestDatabase, broker_pool: asyncpg.Pool
) -> None:
    log = TestLog()
    log.append(*events(5))
    async with (
        running(log, database, broker_pool) as zombie,
        running(log, database, broker_pool) as owner,
    ):
        zombie.source.assign(0)
        await zombie.registered(count=5)
        owner.source.assign(0)  # and the zombie was not told
        await until(lambda: 0 in owner.status.assignment)
        log.append(*events(5, 5))
        await owner.registered(count=10)
        await until(lambda: zombie.status.partition_errors() == {0: "FENCED"})
        assert owner.status.partition_errors() == {}
        owner.source.rest([0])
        zombie.source.assign(0)
        log.append(*events(5, 10))
        await zombie.registered(count=15)
        assert zombie.status.partition_errors() == {}
    assert await verdict_counts(broker_pool) == {"ACCEPTED": 15}


async def test_a_claim_that_a_late_zombie_overtook_is_made_again(
    database: TestDatabase, broker_pool: asyncpg.Pool
) -> None:
    """The rightful owner was fenced by a claim that came late: after a while it takes over again."""
    log = TestLog()
    async with running(log, database, broker_pool, kafka_session_timeout_ms=6_000) as owner:
        owner.source.assign(0)
        await until(lambda: owner.intake.partitions.positions != {})
        now = owner.status.clock()
        await broker_pool.execute("update partition_cursor set epoch = epoch + 1")
        log.append(*events(1))
        await until(lambda: owner.status.partition_errors() == {0: "FENCED"})
        owner.status.clock = lambda: now + 10
        await owner.registered(count=1)


async def test_stopping_finishes_what_was_read(database: TestDatabase, broker_pool: asyncpg.Pool) -> None:
    log = TestLog()
    log.append(*events(200))
    async with running(log, database, broker_pool, batch_events=10) as one:
        one.source.assign(0)
        await until(lambda: one.status.registered_at > 0)
        await one.end()
        count = await broker_pool.fetchval("select count(*) from inbox")
        assert count == await broker_pool.fetchval("select next_offset from partition_cursor") > 0
    async with running(log, database, broker_pool) as two:
        two.source.assign(0)
        await two.registered(count=200)
    assert await verdict_counts(broker_pool) == {"ACCEPTED": 200}


async def test_a_log_that_cannot_be_reached_is_waited_for(
    database: TestDatabase, broker_pool: asyncpg.Pool
) -> None:
    log = TestLog()
    async with running(log, database, broker_pool) as one:
        one.source.assign(0)
        await until(lambda: one.status.started)
        log.down = True
        log.append(*events(3))
        await asyncio.sleep(0.2)
        beat = one.status.intake_beat
        await until(lambda: one.status.intake_beat > beat)
        log.down = False
        await one.registered(count=3)
