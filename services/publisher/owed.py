"""Who is owed what: a version that the subscription matches, or one of a record that may be held already."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    import asyncpg

    from services.publisher.destinations import Destination
    from services.publisher.feed_row import FeedRow
    from services.publisher.shard_reader import ShardReader

_MAY_HOLD = """
select distinct record_uid from ledger
where reader = $1 and record_uid = any($2::text[]) and outcome in ('ACCEPTED', 'UNKNOWN')
"""


async def owed_rows(
    pool: asyncpg.Pool, destination: Destination, rows: list[FeedRow], readers: Iterable[ShardReader]
) -> list[FeedRow]:
    """Of `rows`, in feed order, those that the destination is owed.

    What does not match, but follows an earlier version of its record, is owed if that may be held: by the
    ledger (accepted, or of unknown outcome), by what is under way in `readers`, or by `rows` themselves.
    """
    unmatched = [row for row in rows if row.version > 1 and not destination.matches(row.audience)]
    if not unmatched:
        return [row for row in rows if destination.matches(row.audience)]
    # Memory before ledger: what leaves memory is on the ledger, so nothing falls between the two looks.
    readers = tuple(readers)
    may_hold = {row.record_uid for row in unmatched if any(reader.holds(row) for reader in readers)}
    asked = {row.record_uid for row in unmatched} - may_hold
    if asked:
        may_hold.update(row[0] for row in await pool.fetch(_MAY_HOLD, destination.code, list(asked)))
    owed = []
    for row in rows:
        if destination.matches(row.audience):
            may_hold.add(row.record_uid)
            owed.append(row)
        elif row.record_uid in may_hold:
            owed.append(row)
    return owed
