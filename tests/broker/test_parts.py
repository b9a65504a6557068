"""Small pure parts: periods, record uids, batches cut in two, the binary COPY format, status."""

from __future__ import annotations

import threading
from datetime import UTC, date, datetime, timedelta, timezone
from itertools import pairwise
from typing import TYPE_CHECKING

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ulid import ULID

from services.broker import copy_format
from services.broker.arrival import read_arrival
from services.broker.batch import Batch, Span
from services.broker.periods import add_months, day_of, is_provisional, working_day_after
from services.broker.record_uids import RecordUids
from services.broker.status import BrokerStatus, PartitionStatus
from services.broker.watchdog import Watchdog
from tests.broker.events import MAX_BYTES, message

if TYPE_CHECKING:
    from tests.stack import TestDatabase


@pytest.mark.parametrize(
    ("start", "months", "end"),
    [
        ("2021-08-31", 6, "2022-02-28"),
        ("2021-08-31", 9, "2022-05-31"),
        ("2023-08-30", 6, "2024-02-29"),
        ("2023-08-30", 9, "2024-05-30"),
        ("2026-05-12", 36, "2029-05-12"),
        ("2018-01-22", 0, "2018-01-22"),
    ],
)
def test_the_corresponding_day(start: str, months: int, end: str) -> None:
    assert str(add_months(date.fromisoformat(start), months)) == end


@given(st.dates(date(1900, 1, 1), date(2900, 1, 1)), st.integers(0, 1200))
def test_months_go_to_the_day_of_the_same_number_or_the_last(day: date, months: int) -> None:
    end = add_months(day, months)
    assert (end.year * 12 + end.month) - (day.year * 12 + day.month) == months
    assert end.day == day.day or (end.day < day.day and (end + timedelta(days=1)).day == 1)


def test_dates_are_those_of_shanghai() -> None:
    assert day_of(datetime(2026, 5, 11, 16, 30, tzinfo=UTC)) == date(2026, 5, 12)
    assert day_of(datetime(2026, 5, 12, 0, 30, tzinfo=timezone(timedelta(hours=9)))) == date(2026, 5, 11)


def test_working_days_skip_weekends_and_are_provisional_only_near_holidays() -> None:
    friday = date(2018, 1, 5)
    deadline = working_day_after(friday, 5)
    assert deadline == date(2018, 1, 12)
    assert not is_provisional(friday, deadline, date(2018, 1, 19))
    before_golden_week = date(2026, 9, 28)
    assert is_provisional(before_golden_week, working_day_after(before_golden_week, 5), date(2026, 10, 8))
    assert not is_provisional(before_golden_week, working_day_after(before_golden_week, 5), date(2026, 11, 8))


@given(st.lists(st.integers(-5, 5), min_size=1, max_size=50))
def test_record_uids_are_ulids_and_rise_whatever_the_clock_does(steps: list[int]) -> None:
    now = 1_700_000_000_000
    uids = RecordUids(lambda n: b"\xff" * n, lambda: now)
    made = []
    for step in steps:
        now += step
        made.append(uids.mint())
    assert made == sorted(set(made))
    first = ULID.from_str(made[0])
    assert int(first.timestamp * 1000) == 1_700_000_000_000 + steps[0]


@given(st.lists(st.integers(0, 2), min_size=2, max_size=30), st.integers(0, 3))
def test_a_batch_cut_in_two_moves_every_partition_as_far_as_the_whole(order: list[int], gap: int) -> None:
    offsets = {partition: 10 * partition for partition in range(3)}
    spans: dict[int, tuple[int, int]] = {}
    arrivals = []
    for partition in order:
        first = spans.get(partition, (offsets[partition], 0))[0]
        offsets[partition] += gap
        arrivals.append(read_arrival(message(b"x", offsets[partition], partition), MAX_BYTES))
        offsets[partition] += 1
        spans[partition] = (first, offsets[partition])
    whole = Batch("t", 1, tuple(Span(p, 7, first, end) for p, (first, end) in spans.items()), tuple(arrivals))
    here, there = whole.halves()
    assert here.arrivals + there.arrivals == whole.arrivals
    assert here.arrivals
    assert there.arrivals
    for half in (here, there):
        assert {span.partition for span in half.spans} == {a.message.partition for a in half.arrivals}
    for span in whole.spans:
        parts = [part for half in (here, there) for part in half.spans if part.partition == span.partition]
        assert (parts[0].first, parts[-1].next) == (span.first, span.next)
        assert all(one.next == two.first for one, two in pairwise(parts))
        assert {part.epoch for part in parts} == {7}


MOMENT = datetime(2026, 11, 25, 10, 9, 8, 123456, tzinfo=timezone(timedelta(hours=8)))


@pytest.mark.asyncio
async def test_the_copy_format_is_read_by_postgres_as_it_was_meant(database: TestDatabase) -> None:
    async with asyncpg.create_pool(database.superuser_dsn, min_size=1) as pool, pool.acquire() as connection:
        await connection.execute(
            "create temporary table t (a text, b bytea, c int, d bigint, e boolean, f date, g timestamptz,"
            " h text[], i text[], j json)"
        )
        rows = [
            (
                "限制类",
                b"\0\xff",
                -1,
                2**40,
                True,
                date(1999, 12, 31),
                MOMENT,
                ("SA01", "类"),
                (),
                b'{"a": "\\u9650"}',
            ),
            (None, None, None, None, False, None, None, (), ("x",), None),
        ]
        encoded = [
            b"\0\x0a"
            + copy_format.text(a) + copy_format.octets(b) + copy_format.int4(c) + copy_format.int8(d)
            + copy_format.boolean(e) + copy_format.day(f) + copy_format.moment(g) + copy_format.words(h)
            + copy_format.words(i) + copy_format.octets(j)
            for a, b, c, d, e, f, g, h, i, j in rows
        ] * 600  # fmt: skip
        await connection.copy_to_table("t", source=copy_format.stream(encoded), format="binary")
        found = await connection.fetch("select * from t")
    assert len(found) == len(encoded)
    for row, read in zip(rows * 600, found, strict=True):
        expected = [list(value) if isinstance(value, tuple) else value for value in row]
        expected[9] = expected[9].decode() if isinstance(expected[9], bytes) else None
        assert list(read) == expected


def status_at(now: float) -> BrokerStatus:
    status = BrokerStatus(clock=lambda: now)
    status.started = True
    return status


def test_what_counts_as_a_stall() -> None:
    status = status_at(1000)
    assert status.stalled(60) is None
    status.loop_beat = 900
    assert status.stalled(60) == "event_loop"
    status.loop_beat = 1000
    status.intake_beat = 900
    assert status.stalled(60) == "intake"
    status.started = False
    assert status.stalled(60) is None
    status.rebalancing_since = 930
    assert status.stalled(60) == "rebalance"
    status.stopping = True
    assert status.stalled(60) is None


def test_a_partition_stands_still_only_if_kafka_has_more_and_the_database_is_up() -> None:
    status = status_at(1000)
    shown = PartitionStatus(3, 1, registered=5, log_end=9, moved_at=900, checked_at=999)
    status.assignment[3] = shown
    assert status.stalled(60) == "partition_3"
    status.database_down_since = 950
    assert status.stalled(60) is None
    status.database_down_since = None
    shown.checked_at = 930  # Kafka has not answered since
    assert status.stalled(60) is None
    shown.checked_at, shown.error = 999, "OFFSET_DELETED"
    assert status.stalled(60) is None
    shown.error, shown.registered = None, 9
    assert status.stalled(60) is None


def test_readiness_names_every_problem() -> None:
    status = BrokerStatus(clock=lambda: 0.0)
    status.partitions_ahead = {"feed": 0, "ledger": 2}
    status.database_down_since = 0.0
    status.relay_error = "KafkaError"
    ready, said = status.ready()
    assert not ready
    assert said["problems"] == [
        "not started", "database down", "no partition of feed left", "verdict relay: KafkaError",
    ]  # fmt: skip


def test_the_watchdog_ends_the_process_once_it_stalls_and_not_before() -> None:
    ended, called = [], threading.Event()

    def end(what: str) -> None:
        ended.append(what)
        called.set()

    status = BrokerStatus()
    watchdog = Watchdog(status, 0.2, end)
    watchdog.start()
    assert called.wait(10)
    assert ended == ["event_loop"]
    watchdog.stop()
    watchdog.stop()
