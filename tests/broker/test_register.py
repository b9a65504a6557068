"""The register: one transaction with everything in it, or nothing."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import asyncpg
import orjson
import pytest

from services.broker import docket, docket_rows
from services.broker import judge as judging
from services.broker.register import FencedError
from tests.broker.events import SUBJECT, changed, decision, listing, overdue, revoked, uscc
from tests.broker.stand import RegisterStand, assert_sound, verdict_counts

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.stack import TestDatabase

pytestmark = pytest.mark.asyncio


async def test_a_batch_writes_all_that_comes_of_it(stand: RegisterStand) -> None:
    await stand.put(overdue(), listing(), listing(), revoked(), b"not json")
    pool = stand.pool
    assert await verdict_counts(pool) == {"ACCEPTED": 3, "DUPLICATE": 1, "REFUSED": 1}
    record = await pool.fetchrow("select * from record")
    assert (record["state"], record["version"], record["seq"], record["subject"]) == (
        "REVOKED",
        3,
        3,
        SUBJECT,
    )
    rows = await pool.fetch("select op, state, supersedes, lane_hash, body, areas from feed order by seq")
    assert [(row["op"], row["state"]) for row in rows] == [
        ("UPSERT", "FACT_FOUND"), ("UPSERT", "LISTED"), ("RETRACT", "REVOKED"),
    ]  # fmt: skip
    assert rows[1]["areas"] == rows[2]["areas"]
    assert orjson.loads(rows[2]["body"])["state"] == "REVOKED"
    assert 0 <= rows[0]["lane_hash"] < docket_rows.LANE_HASHES
    cursor = await pool.fetchrow("select next_offset, epoch from partition_cursor")
    assert tuple(cursor) == (5, 1)
    verdicts = [
        orjson.loads(row["body"]) for row in await pool.fetch("select body from verdict order by verdict_seq")
    ]
    assert [verdict["event"]["id"] for verdict in verdicts] == ["o-1", "l-1", "l-1", "r-1", None]
    assert verdicts[2]["duplicate_of"] == {"source": "//wuhai/miit/credit", "id": "l-1"}
    await assert_sound(pool)


async def test_what_the_inbox_keeps_of_an_event(stand: RegisterStand) -> None:
    event = changed(listing(), "data.enterprise.legal_rep_id", "15030419800101123X")
    event = changed(event, "data.trace_id", "trace-7")
    await stand.put(changed(event, "data.disposal", ["D05"]))
    row = await stand.pool.fetchrow("select * from inbox")
    assert row["event_id"] == "l-1"
    assert row["case_id"] == "WH-1"
    assert row["trace_id"] == "trace-7"
    assert row["holds_key"]
    assert row["event_time"].isoformat() == "2026-05-12T08:00:00+00:00"
    assert "15030419800101123X" not in row["data"]
    assert orjson.loads(row["data"])["decision"]["decided_on"] == "2026-05-11"
    assert [finding["code"] for finding in orjson.loads(row["findings"])] == ["W_DISPOSAL_INCOMPLETE"]
    assert await stand.pool.fetchval("select trace_id from feed") == "trace-7"


async def test_the_next_batch_sees_what_the_last_one_did(stand: RegisterStand) -> None:
    unserved = changed(listing("l-0"), "data.decision.served_on", ...)
    unnotified = changed(changed(unserved, "id", "l-00"), "data.decision.notice", ...)
    for event in (
        overdue(),
        unnotified,
        unserved,
        listing(),
        listing(),
        overdue("o-2", failure_reason="F02"),
    ):
        await stand.put(event)
    counts = await verdict_counts(stand.pool)
    assert counts == {"ACCEPTED": 5, "DUPLICATE": 1}
    rows = await stand.pool.fetch("select event_id, act_key, version from inbox order by inbox_id")
    assert [(row["event_id"], row["act_key"] is not None) for row in rows[1:4]] == [
        ("l-00", False), ("l-0", False), ("l-1", True),
    ]  # fmt: skip
    assert await stand.pool.fetchval("select state from record") == "LISTED"
    await assert_sound(stand.pool)


async def test_a_tombstone_is_settled_across_batches(stand: RegisterStand) -> None:
    await stand.put(revoked())
    assert await verdict_counts(stand.pool) == {"HELD": 1}
    await stand.put(listing())
    rows = await stand.pool.fetch(
        "select verdict, record_uid, version, waits_for, codes from inbox order by inbox_id"
    )
    uid = await stand.pool.fetchval("select record_uid from record where state = 'REVOKED'")
    assert [tuple(row) for row in rows] == [("ACCEPTED", uid, 1, None, [])] * 2
    assert await stand.pool.fetchval("select count(*) from verdict") == 3
    assert await stand.pool.fetchval("select cardinality(areas) + cardinality(channels) from feed") == 0
    await assert_sound(stand.pool)


async def test_a_zombie_writes_nothing(stand: RegisterStand, database: TestDatabase) -> None:
    other = RegisterStand(database, stand.pool)
    await stand.put(listing())
    await other.take(0)
    with pytest.raises(FencedError) as caught:
        await stand.put(listing("l-2", subject=uscc(2), case_id="WH-2"))
    assert caught.value.partitions == (0,)
    assert await verdict_counts(stand.pool) == {"ACCEPTED": 1}
    await other.put(listing("l-2", subject=uscc(2), case_id="WH-2"))
    assert await verdict_counts(stand.pool) == {"ACCEPTED": 2}
    await assert_sound(stand.pool)
    await other.close()


async def test_one_fenced_partition_voids_the_whole_batch(stand: RegisterStand) -> None:
    await stand.take(0, 1)
    batch = stand.batch([(0, listing()), (1, listing("l-2", subject=uscc(2), case_id="WH-2"))])
    await stand.pool.execute("update partition_cursor set epoch = epoch + 1 where kafka_partition = 1")
    with pytest.raises(FencedError) as caught:
        await stand.register.register(batch)
    assert caught.value.partitions == (1,)
    assert await verdict_counts(stand.pool) == {}
    assert await stand.pool.fetchval("select sum(next_offset) from partition_cursor") == 0


@pytest.mark.parametrize("table", ["inbox", "dead_letter", "feed", "record", "verdict"])
async def test_a_crash_between_any_two_tables_leaves_nothing_and_the_batch_comes_again(
    stand: RegisterStand, monkeypatch: pytest.MonkeyPatch, table: str
) -> None:
    """The backend is killed right after it has copied into `table`."""
    killed = 0
    copies = {"dead_letter": "copy_records_to_table"}

    def kill_after(name: str) -> Callable[..., Any]:
        original = getattr(asyncpg.Connection, name)

        async def copy(self: asyncpg.Connection, into: str, **more: Any) -> Any:
            nonlocal killed
            answer = await original(self, into, **more)
            if into == table and not killed:
                killed = self.get_server_pid()
                async with stand.pool.acquire() as other:
                    await other.execute("select pg_terminate_backend($1)", killed)
            return answer

        return copy

    name = copies.get(table, "copy_to_table")
    monkeypatch.setattr(asyncpg.Connection, name, kill_after(name))
    await stand.put(listing(), b"not json")
    assert killed
    assert await verdict_counts(stand.pool) == {"ACCEPTED": 1, "REFUSED": 1}
    assert await stand.pool.fetchval("select next_offset from partition_cursor") == 2
    await assert_sound(stand.pool)


async def test_a_message_that_cannot_be_stored_goes_to_the_dead_letters_and_the_others_through(
    stand: RegisterStand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that PostgreSQL refuses, and one on which our own code fails while writing."""
    original = docket_rows.inbox_row

    def row(arrival: Any, entry: Any, *more: Any) -> Any:
        if entry.event_id == "breaks us":
            raise ZeroDivisionError
        if entry.event_id == "breaks postgres":
            entry.event_id = "nul \0"
        return original(arrival, entry, *more)

    monkeypatch.setattr(docket_rows, "inbox_row", row)
    names = ["a", "breaks us", "b", "c", "breaks postgres", "d", "e"]
    await stand.put(*(listing(name, uscc(at), case_id=f"WH-{at}") for at, name in enumerate(names)))
    assert await verdict_counts(stand.pool) == {"ACCEPTED": 5, "REFUSED": 2}
    letters = await stand.pool.fetch("select kafka_offset, codes from dead_letter order by 1")
    assert [tuple(row) for row in letters] == [(1, ["E_UNJUDGED"]), (4, ["E_UNJUDGED"])]
    assert await stand.pool.fetchval("select next_offset from partition_cursor") == len(names)
    await assert_sound(stand.pool)


async def test_a_judge_that_fails_refuses_that_event_alone(
    stand: RegisterStand, monkeypatch: pytest.MonkeyPatch
) -> None:

    def judge(arrival: Any, *more: Any) -> Any:
        if arrival.event.id == "bad":
            raise KeyError("anything")
        return judging.judge(arrival, *more)

    monkeypatch.setattr(docket, "judge", judge)
    await stand.put(listing("bad"), listing("good"))
    assert await verdict_counts(stand.pool) == {"ACCEPTED": 1, "REFUSED": 1}


async def test_registers_at_work_together_leave_a_dense_feed(
    database: TestDatabase, stand: RegisterStand
) -> None:
    """Four registers with a partition each, whose subjects overlap, and a reader that must not skip a row."""
    registers = [stand, *(RegisterStand(database, stand.pool) for _ in range(3))]
    for partition, each in enumerate(registers):
        await each.take(partition)
    seen: list[int] = []
    done = asyncio.Event()

    async def follow() -> None:
        while not done.is_set() or await stand.pool.fetchval("select feed from sequence_head") > len(seen):
            rows = await stand.pool.fetch(
                "select seq from feed where seq > $1 order by seq", seen[-1] if seen else 0
            )
            seen.extend(row["seq"] for row in rows)

    async def feed(partition: int, each: RegisterStand) -> None:
        for turn in range(12):
            events = [
                listing(
                    f"{partition}-{turn}-{number}",
                    uscc(number),
                    case_id=f"C-{partition}-{turn}-{number}",
                    decision=decision(f"决〔2026〕{partition}-{turn}-{number}号"),
                )
                for number in range(10)
            ]
            await each.put(*events, partition=partition)

    follower = asyncio.create_task(follow())
    await asyncio.gather(*(feed(partition, each) for partition, each in enumerate(registers)))
    done.set()
    await follower
    assert seen == list(range(1, 4 * 12 * 10 + 1))
    await assert_sound(stand.pool)
    for each in registers[1:]:
        await each.close()


async def test_the_same_event_in_two_partitions_at_once_is_one_record(
    database: TestDatabase, stand: RegisterStand
) -> None:
    """One event, sent under two keys: its id meets itself in a unique index."""
    other = RegisterStand(database, stand.pool)
    await other.take(1)
    for turn in range(10):
        event = listing(f"l-{turn}", uscc(turn), case_id=f"WH-{turn}")
        elsewhere = changed(event, "subject", uscc(turn + 100))
        elsewhere = changed(elsewhere, "data.enterprise.uscc", uscc(turn + 100))
        await asyncio.gather(stand.put(event), other.put(elsewhere, partition=1))
    counts = await verdict_counts(stand.pool)
    assert counts == {"ACCEPTED": 10, "CONFLICT": 10}
    await assert_sound(stand.pool)
    await other.close()
