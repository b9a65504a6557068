"""Finding records by one indexed property, the most recently changed last."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.broker.api.cursors import read_cursor, write_cursor

if TYPE_CHECKING:
    import asyncpg

_FIND = """
select r.record_uid, r.version, r.seq, r.areas, f.body from record r join feed f on f.seq = r.seq
where {condition} and r.seq > $2 order by r.seq limit $3
"""
# doc_key is the second column of its index, after the authority; PostgreSQL 18 skips over the few
# authorities.
_QUERIES = {
    name: _FIND.format(condition=f"r.{column} = $1")
    for name, column in (("case_id", "case_id"), ("uscc", "subject"), ("doc_no", "doc_key"))
}


async def find_records(
    connection: asyncpg.Connection, by: str, value: str, cursor: str | None, limit: int
) -> tuple[list[asyncpg.Record], str | None]:
    """Up to `limit` records whose `by` (case_id, uscc, doc_no) is `value`, and the cursor to more, if any.

    A record that changes while it is paged over moves to the end: it may come twice, never not at all.
    """
    of_list = f"records:{by}:{value}"
    after = read_cursor(cursor, of_list, 1)[0] if cursor is not None else 0
    rows = await connection.fetch(_QUERIES[by], value, after, limit + 1)
    if len(rows) <= limit:
        return rows, None
    rows.pop()
    return rows, write_cursor(of_list, rows[-1]["seq"])
