"""No reader of the feed skips a row, in whatever order transactions take their numbers and commit."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.broker.docket_store import TAKE_NUMBERS
from services.publisher.feed_pages import FeedPages

if TYPE_CHECKING:
    from tests.stack import TestDatabase

pytestmark = pytest.mark.system
WRITERS = 4
INSERT = """
insert into feed (seq, record_uid, version, kind, op, state, subject, lane, lane_hash, body, registered_at)
select s, 'R' || s, 1, 'RECORD', 'UPSERT', 'LISTED', 'x', 'x', 0, $3::bytea, now()
from generate_series($1::bigint, $2::bigint) s
"""


@dataclass
class Writer:
    """One register transaction, held before it takes its numbers and before it ends."""

    rows: int
    commits: bool
    take: asyncio.Event = field(default_factory=asyncio.Event)
    end: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, connection: asyncpg.Connection, mark: bytes) -> None:
        transaction = connection.transaction()
        await transaction.start()
        # Takes its transaction id now: ids and commit order shall differ.
        await connection.execute(
            "insert into subject (uscc) values ($1) on conflict do nothing", mark.decode()
        )
        await self.take.wait()
        feed, _ = await connection.fetchrow(TAKE_NUMBERS, self.rows, 0)
        await connection.execute(INSERT, feed + 1, feed + self.rows, mark)
        await self.end.wait()
        await (transaction.commit() if self.commits else transaction.rollback())


@st.composite
def schedules(draw: st.DrawFn) -> tuple[list[Writer], list[tuple[int, str]]]:
    writers = [Writer(draw(st.integers(1, 3)), draw(st.booleans())) for _ in range(WRITERS)]
    steps = [(number, step) for number in range(WRITERS) for step in ("take", "end")]
    return writers, draw(st.permutations(steps))


async def follow(pages: FeedPages, seen: list[tuple[int, bytes]]) -> None:
    while True:
        page = await pages.after(seen[-1][0] if seen else 0)
        seen.extend((row.seq, row.body) for row in page.rows if not seen or row.seq > seen[-1][0])


async def play(dsn: str, writers: list[Writer], steps: list[tuple[int, str]]) -> None:
    pool = await asyncpg.create_pool(dsn, min_size=WRITERS + 1, max_size=WRITERS + 1)
    async with pool:
        async with pool.acquire() as connection, connection.transaction():
            # The only way past the append-only triggers, open to a superuser alone.
            await connection.execute("set local session_replication_role = replica")
            await connection.execute("truncate feed")
        await pool.execute("update sequence_head set feed = 0")
        pages = FeedPages(pool, page_rows=2, cache_rows=100, poll_seconds=0.005)
        seen: list[tuple[int, bytes]] = []
        reader = asyncio.create_task(follow(pages, seen))
        following = asyncio.create_task(pages.follow())
        connections = [await pool.acquire() for _ in writers]
        running = [
            asyncio.create_task(writer.run(connection, b"w%d" % number))
            for number, (writer, connection) in enumerate(zip(writers, connections, strict=True))
        ]
        for number, step in steps:
            getattr(writers[number], step).set()
            pages.wake()
            for _ in range(5):
                await asyncio.sleep(0)
        await asyncio.gather(*running)
        for connection in connections:
            await pool.release(connection)
        expected = sum(writer.rows for writer in writers if writer.commits)
        async with asyncio.timeout(10):
            while len(seen) < expected:
                pages.wake()
                await asyncio.sleep(0.001)
        reader.cancel()
        following.cancel()
        assert [seq for seq, _ in seen] == list(range(1, expected + 1))
        stored = await pool.fetch("select seq, body from feed order by seq")
        assert seen == [tuple(row) for row in stored]


def test_no_reader_skips_a_row_however_transactions_end(database: TestDatabase) -> None:
    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(schedules())
    def prove(schedule: tuple[list[Writer], list[tuple[int, str]]]) -> None:
        asyncio.run(play(database.superuser_dsn, *schedule))

    prove()
