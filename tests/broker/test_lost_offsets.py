"""An offset that Kafka no longer has is a visible error, and never a reset."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from services.broker.claims import Claim, Loss, lost
from services.broker.source import LogBounds
from tests.broker.stand import TestLog, until, verdict_counts
from tests.broker.test_intake import events, running

if TYPE_CHECKING:
    import asyncpg

    from tests.stack import TestDatabase

TABLE = [
    (Claim(0, 1, 5, "t", None), LogBounds(0, 9), "t", None),
    (Claim(0, 1, 5, None, None), LogBounds(5, 5), "t", None),
    (Claim(0, 1, 5, "t", None), LogBounds(5, 5), None, None),
    (Claim(0, 1, 0, "t", None), LogBounds(0, 0), "t", None),
    (Claim(0, 1, 5, "t", None), LogBounds(6, 9), "t", Loss.OFFSET_DELETED),
    (Claim(0, 1, 0, "t", None), LogBounds(1, 9), "t", Loss.OFFSET_DELETED),
    (Claim(0, 1, 5, "t", None), LogBounds(0, 4), "t", Loss.OFFSET_BEYOND_END),
    (Claim(0, 1, 5, "t", None), LogBounds(0, 9), "u", Loss.TOPIC_RECREATED),
    (Claim(0, 1, 5, "t", "OFFSET_DELETED"), LogBounds(0, 9), "t", "OFFSET_DELETED"),
]


@pytest.mark.parametrize(("claim", "bounds", "topic_id", "expected"), TABLE)
def test_what_counts_as_lost(
    claim: Claim, bounds: LogBounds, topic_id: str | None, expected: str | None
) -> None:
    assert lost(claim, bounds, topic_id) == expected


@pytest.mark.asyncio
async def test_a_partition_whose_next_offset_was_deleted_is_not_read_and_the_others_are(
    database: TestDatabase, broker_pool: asyncpg.Pool
) -> None:
    log = TestLog(2)
    log.append(*events(5))
    async with running(log, database, broker_pool) as one:
        one.source.assign(0, 1)
        await one.registered(count=5)
    log.append(*events(5, 5))
    log.forget(0, 8)
    async with running(log, database, broker_pool) as two:
        two.source.assign(0, 1)
        log.append(*events(3, 100), partition=1)
        await two.registered(count=8)
        await until(lambda: two.status.partition_errors() == {0: "OFFSET_DELETED"})
        ready, said = two.status.ready()
        assert not ready
        assert said["problems"] == ["partition 0: OFFSET_DELETED"]
    rows = await broker_pool.fetch("select next_offset, error from partition_cursor order by kafka_partition")
    assert [tuple(row) for row in rows] == [(5, "OFFSET_DELETED"), (3, None)]


@pytest.mark.asyncio
async def test_a_loss_is_remembered_although_the_log_has_grown_over_it(
    database: TestDatabase, broker_pool: asyncpg.Pool
) -> None:
    log = TestLog()
    log.append(*events(5))
    async with running(log, database, broker_pool) as one:
        one.source.assign(0)
        await one.registered(count=5)
    log.ends[0], log.messages[0] = 3, type(log.messages[0])(list(log.messages[0])[:3])
    async with running(log, database, broker_pool) as two:
        two.source.assign(0)
        # Only the third look counts: right after a change of leader the end may lag behind.
        await until(lambda: two.status.partition_errors() == {0: "OFFSET_BEYOND_END"})
    log.append(*events(10, 10))
    async with running(log, database, broker_pool) as three:
        three.source.assign(0)
        await until(lambda: three.status.partition_errors() == {0: "OFFSET_BEYOND_END"})
        assert await verdict_counts(broker_pool) == {"ACCEPTED": 5}
    async with running(log, database, broker_pool, kafka_accept_lost_offsets=True) as four:
        four.source.assign(0)
        await four.registered(count=5 + 13)
        assert four.status.ready()[0]
    assert await verdict_counts(broker_pool) == {"ACCEPTED": 15, "DUPLICATE": 3}


@pytest.mark.asyncio
async def test_a_topic_re_created_while_it_is_read_is_noticed(
    database: TestDatabase, broker_pool: asyncpg.Pool
) -> None:
    log = TestLog(2)
    log.append(*events(5))
    async with running(log, database, broker_pool) as one:
        one.source.assign(0, 1)
        await one.registered(count=5)
        log.id = "topic-2"
        await until(lambda: one.status.partition_errors() == dict.fromkeys((0, 1), "TOPIC_RECREATED"))
        log.append(*events(5, 5))
    assert await verdict_counts(broker_pool) == {"ACCEPTED": 5}


@pytest.mark.asyncio
async def test_an_offset_that_goes_out_of_range_while_it_is_read_is_noticed(
    database: TestDatabase, broker_pool: asyncpg.Pool
) -> None:
    log = TestLog()
    log.append(*events(5))
    async with running(log, database, broker_pool) as one:
        one.source.assign(0)
        await one.registered(count=5)
        log.ends[0] = 20
        log.forget(0, 15)
        await until(lambda: one.status.partition_errors() == {0: "OFFSET_DELETED"})
