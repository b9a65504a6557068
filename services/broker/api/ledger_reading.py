"""Pages of the ledger, in the order of its entries, with a bounded query for each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from services.broker.api.cursors import read_cursor, write_cursor
from services.broker.api.ledger_horizon import settled_to

if TYPE_CHECKING:
    from datetime import datetime

    import asyncpg

    from services.broker.api.options import ApiSettings

# The entries of one record are few and indexed; without the fence the planner walks the whole ledger in
# order.
_OF_RECORD = "(with found as materialized (select * from ledger where record_uid = $1) select * from found) l"
_OF_WINDOW = "ledger l"
_PAGE = """
select * from {source}
where ($1::text is null or l.record_uid = $1) and l.entry_id > $2 and l.entry_id <= $3
    and ($4::text is null or l.reader = $4) and ($5::text is null or l.outcome = $5)
    and ($6::timestamptz is null or l.settled_at >= $6) and ($7::timestamptz is null or l.settled_at < $7)
order by l.entry_id limit $8
"""
_BY_RECORD, _BY_WINDOW = _PAGE.format(source=_OF_RECORD), _PAGE.format(source=_OF_WINDOW)
_SETTLED_AFTER = "select entry_id, settled_at from ledger where entry_id > $1 order by entry_id limit 1"


@dataclass(frozen=True, slots=True)
class LedgerFilter:
    """What is asked for; `since` is included, `until` is not, both of `settled_at`."""

    record_uid: str | None = None
    reader: str | None = None
    outcome: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def list_name(self) -> str:
        """What a cursor is bound to."""
        return f"ledger:{self.record_uid}:{self.reader}:{self.outcome}:{self.since}:{self.until}"


async def read_entries(
    connection: asyncpg.Connection, asked: LedgerFilter, cursor: str | None, limit: int, options: ApiSettings
) -> tuple[list[dict[str, Any]], str | None]:
    """Up to `limit` entries, and the cursor to go on from: None once everything committed so far was covered.

    A page looks at no more than `api_ledger_scan_rows` entries unless it asks for one record, so it may be
    short, or empty, and still have a cursor.
    """
    of_list = asked.list_name()
    horizon = await settled_to(connection, options.api_ledger_settle_seconds)
    skew = options.api_ledger_skew
    if cursor is not None:
        after = read_cursor(cursor, of_list, 1)[0]
    elif asked.since is not None and asked.record_uid is None:
        after = await _last_before(connection, asked.since - skew, horizon)
    else:
        after = 0
    end = horizon
    if asked.until is not None and asked.record_uid is None:
        end = await _last_before(connection, asked.until + skew, horizon)
    upto = end if asked.record_uid is not None else min(end, after + options.api_ledger_scan_rows)
    rows = await connection.fetch(
        _BY_WINDOW if asked.record_uid is None else _BY_RECORD,
        asked.record_uid,
        after,
        upto,
        asked.reader,
        asked.outcome,
        asked.since,
        asked.until,
        limit,
    )
    covered = rows[-1]["entry_id"] if len(rows) == limit else upto
    return [_entry(row) for row in rows], write_cursor(of_list, covered) if covered < end else None


async def _last_before(connection: asyncpg.Connection, moment: datetime, horizon: int) -> int:
    """An entry number such that all entries up to it were settled before `moment`, give or take the writers'
    skew.

    Numbers rise with time but for what overlapping transactions mix up, so halving finds the place in the
    primary key.
    """
    low, high = 0, horizon
    while low < high:
        middle = (low + high) // 2
        row = await connection.fetchrow(_SETTLED_AFTER, middle)
        if row is None or row["entry_id"] > horizon or row["settled_at"] >= moment:
            high = middle
        else:
            low = row["entry_id"]
    return low


def _entry(row: asyncpg.Record) -> dict[str, Any]:
    delivery_id = f"{row['record_uid']}.{row['version']}.{row['reader']}" if row["record_uid"] else None
    return {
        "entry_id": row["entry_id"],
        "kind": row["kind"],
        "reader": row["reader"],
        "delivery_id": delivery_id,
        "record_uid": row["record_uid"],
        "version": row["version"],
        "sequence": row["seq"],
        "op": row["op"],
        "attempt": row["attempt"],
        "outcome": row["outcome"],
        "status": row["status"],
        "error": row["error"],
        "sent_at": row["sent_at"],
        "settled_at": row["settled_at"],
        "retry_at": row["retry_at"],
        "request_sha256": _hex(row["request_sha256"]),
        "response_sha256": _hex(row["response_sha256"]),
        "area": row["area"],
        "from_sequence": row["from_seq"],
        "to_sequence": row["to_seq"],
        "items": row["items"],
        "shard": row["shard"],
        "token": row["token"],
        "publisher": row["publisher"],
    }


def _hex(octets: bytes | None) -> str | None:
    return None if octets is None else octets.hex()
