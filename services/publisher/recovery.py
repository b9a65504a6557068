"""Taking over: what an earlier owner of a lease left, read for all leases just claimed at once.

Between `position` and `intent_to` a delivery is settled if the ledger has a terminal entry for it, parked
if it has a row there; every other owed one may have left, and its outcome is unknown.
"""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING

from services.publisher.ledger_entry import TERMINAL

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    import asyncpg

    from services.publisher.feed_pages import FeedRows
    from services.publisher.feed_row import FeedRow
    from services.publisher.leases import Claimed
    from services.publisher.shard_reader import ShardReader

    Owed = Callable[[str, list[FeedRow]], Awaitable[list[FeedRow]]]

_ROWS = """
select c.destination, c.shard, f.seq, f.record_uid, f.version, f.op, f.cause, f.lane, f.lane_hash, f.channels,
    f.areas, f.regions, f.trace_id, f.body
from unnest($1::text[], $2::int[], $3::bigint[], $4::bigint[], $5::int[])
    c(destination, shard, first, last, shards)
join feed f on f.seq > c.first and f.seq <= c.last and f.lane_hash % c.shards = c.shard
order by f.seq
"""
_ENTRIES = """
select l.reader, l.seq, l.outcome
from unnest($1::text[], $2::int[], $3::bigint[], $4::bigint[]) c(destination, shard, first, last)
join ledger l on l.reader = c.destination and l.seq > c.first and l.seq <= c.last and l.shard = c.shard
"""
_PARKED = """
select c.destination, c.shard, p.attempt, p.failures, p.in_flight,
    extract(epoch from p.due_at - clock_timestamp())::float8,
    f.seq, f.record_uid, f.version, f.op, f.cause, f.lane, f.lane_hash, f.channels, f.areas, f.regions,
    f.trace_id, f.body
from unnest($1::text[], $2::int[]) c(destination, shard)
join parked_delivery p on p.destination = c.destination and p.shard = c.shard
join feed f on f.seq = p.seq
order by f.seq
"""


async def take_over(
    pool: asyncpg.Pool,
    claimed: Sequence[tuple[Claimed, ShardReader, int]],
    rows: FeedRows,
    owed: Owed,
) -> None:
    """Bring each reader to where its predecessor was. `claimed`: lease, reader, number of shards."""
    columns = (
        [lease.destination for lease, _, _ in claimed],
        [lease.shard for lease, _, _ in claimed],
        [lease.position for lease, _, _ in claimed],
        [lease.intent_to for lease, _, _ in claimed],
        [shards for _, _, shards in claimed],
    )
    async with pool.acquire() as connection:
        announced = await connection.fetch(_ROWS, *columns)
        entries = await connection.fetch(_ENTRIES, *columns[:4])
        parked = await connection.fetch(_PARKED, *columns[:2])
    readers = {(lease.destination, lease.shard): reader for lease, reader, _ in claimed}
    settled = {(row[0], row[1]) for row in entries if row[2] in TERMINAL}
    attempts = Counter((row[0], row[1]) for row in entries if row[2] == "UNKNOWN")
    settled |= {(row[0], row[6]) for row in parked}

    monotonic = time.monotonic()
    for lease, reader, _ in claimed:
        reader.loaded_to = max(lease.intent_to, lease.position)
        reader.durable_position = lease.position
    for destination, shard, attempt, failures, in_flight, due_in, *columns_of_row in parked:
        readers[destination, shard].resume_parked(
            rows.make(columns_of_row),
            attempt=attempt,
            failures=failures,
            due_at=monotonic + due_in,
            in_flight=in_flight,
        )
    open_rows: dict[str, list[tuple[int, FeedRow]]] = {}
    for destination, shard, *columns_of_row in announced:
        row = rows.make(columns_of_row)
        if (destination, row.seq) not in settled:
            open_rows.setdefault(destination, []).append((shard, row))
    for destination, found in open_rows.items():
        wanted = set(await owed(destination, [row for _, row in found]))
        for shard, row in found:
            if row in wanted:
                readers[destination, shard].resume_unknown(row, attempts[destination, row.seq])
