"""One page of an area's feed: read, rendered, and put on the ledger in the transaction that read it.

A reader carries only each record's newest version. An older row on the way is an item without a record,
pointing to the version that overtook it, so that nothing repaired or corrected is ever shared again. A
RETRACT names the record to everybody, and shows it only to a reader that may hold it: one that began to read
before the record ended.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

import orjson

from services.broker.api.answers import spliced, with_items
from services.broker.api.cursors import read_cursor, write_cursor
from services.broker.api.errors import ProblemError
from services.broker.api.rendering import cut_to_grant

if TYPE_CHECKING:
    import asyncpg

    from services.broker.api.keys import Principal

_HEAD = "select feed from sequence_head"
# The numbers are dense and in commit order: whatever is at or below a head that was read is there.
_ROWS = """
select f.seq, f.record_uid, f.version, f.op, f.cause, f.areas, r.version as newest,
    case when r.version = f.version then f.body end as body
from feed f left join record r on r.record_uid = f.record_uid
where f.seq > $1 and f.seq <= $2 and $3 = any(f.areas) and ($4::text[] is null or f.regions && $4)
order by f.seq limit $5
"""
_LEDGER = """
insert into ledger (kind, reader, area, from_seq, to_seq, items, status, settled_at, response_sha256)
values ('PAGE', $1, $2, $3, $4, $5, 200, clock_timestamp(), $6)
"""


@dataclass(frozen=True, slots=True)
class Place:
    """How far a reader of `area` is, and where the feed ended when it began to read."""

    area: str
    position: int
    began_at: int | None

    @classmethod
    def of(cls, area: str, cursor: str | None) -> Place:
        if cursor is None:
            return cls(area, 0, None)
        return cls(area, *read_cursor(cursor, f"feed:{area}", 2))

    def cursor(self) -> str:
        return write_cursor(f"feed:{self.area}", self.position, self.began_at or 0)


@dataclass(frozen=True, slots=True)
class Page:
    """Feed rows `from_sequence` to `to_sequence`, both included; none if `to` is one below `from`."""

    items: list[bytes]
    from_sequence: int
    to_sequence: int
    following: Place
    at_head: bool

    def body(self) -> bytes:
        tail = {
            "next": self.following.cursor(),
            "from_sequence": self.from_sequence,
            "to_sequence": self.to_sequence,
        }
        return with_items(self.items, tail)


async def read_page(
    connection: asyncpg.Connection,
    asker: Principal,
    place: Place,
    scan_from: int,
    *,
    limit: int,
    scan_rows: int,
) -> Page:
    """The rows after `scan_from` (those from `place` to there hold nothing for the asker).

    Raises:
        ProblemError: 410 `E_CURSOR_AHEAD` if the feed ends before the cursor.

    """
    head: int = await connection.fetchval(_HEAD)
    if place.position > head:
        raise ProblemError(
            HTTPStatus.GONE,
            "E_CURSOR_AHEAD",
            "The feed ends before this cursor, as after the restore of a backup: read anew without one.",
        )
    began_at = head if place.began_at is None else place.began_at
    upto = min(head, scan_from + scan_rows)
    regions = None if asker.sees_all else sorted(asker.regions)
    rows = await connection.fetch(_ROWS, scan_from, upto, place.area, regions, limit)
    to_sequence = rows[-1]["seq"] if len(rows) == limit else upto
    return Page(
        items=[_item(row, asker, began_at) for row in rows],
        from_sequence=place.position + 1,
        to_sequence=to_sequence,
        following=Place(place.area, to_sequence, began_at),
        at_head=to_sequence == head,
    )


async def write_to_ledger(connection: asyncpg.Connection, asker: Principal, page: Page, body: bytes) -> None:
    """Put `page` on the ledger, unless it covers no feed row at all and so tells nothing."""
    if page.to_sequence >= page.from_sequence:
        await connection.execute(
            _LEDGER,
            asker.reader,
            page.following.area,
            page.from_sequence,
            page.to_sequence,
            len(page.items),
            hashlib.sha256(body).digest(),
        )


def _item(row: asyncpg.Record, asker: Principal, began_at: int) -> bytes:
    overtaken = row["body"] is None
    head = {
        "sequence": row["seq"],
        "record_uid": row["record_uid"],
        "version": row["version"],
        "op": row["op"],
        "cause": row["cause"],
        "superseded_by": row["newest"] if overtaken else None,
    }
    unheld = row["op"] == "RETRACT" and row["seq"] <= began_at
    if overtaken or unheld:
        return orjson.dumps({**head, "record": None})
    return spliced(head, "record", cut_to_grant(row["body"], row["areas"], asker))
