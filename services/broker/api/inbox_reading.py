"""Pages of the inbox, newest first, with a bounded query for each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from services.broker.api.cursors import read_cursor, write_cursor

if TYPE_CHECKING:
    import asyncpg

_ROWS = """
select i.*, d.event_source as earlier_source, d.event_id as earlier_id
from {source} left join inbox d on d.inbox_id = i.duplicate_of
where i.inbox_id < $1 and i.inbox_id >= $2 and ($3::text is null or i.subject = $3)
    and ($4::text is null or i.verdict = $4) and ($5::text is null or i.case_id = $5)
order by i.inbox_id desc limit $6
"""
# The messages of one subject are few and indexed; without the fence the planner walks the whole inbox in
# order.
_OF_SUBJECT = _ROWS.format(
    source="(with found as materialized (select * from inbox where subject = $3) select * from found) i"
)
_OF_WINDOW = _ROWS.format(source="inbox i")
_NEWEST = "select coalesce(max(inbox_id), 0) from inbox"


class InboxFilter(NamedTuple):
    """What is asked for; None: all."""

    verdict: str | None
    case_id: str | None
    subject: str | None


async def read_inbox(
    connection: asyncpg.Connection, asked: InboxFilter, cursor: str | None, limit: int, scan_rows: int
) -> tuple[list[dict[str, Any]], str | None]:
    """Up to `limit` messages, and the cursor to older ones: None once the oldest was looked at.

    A page looks at no more than `scan_rows` messages unless it asks for one subject.
    """
    of_list = f"inbox:{asked.verdict}:{asked.case_id}:{asked.subject}"
    if cursor is not None:
        before = read_cursor(cursor, of_list, 1)[0]
    else:
        before = await connection.fetchval(_NEWEST) + 1
    down_to = 0 if asked.subject is not None else max(0, before - scan_rows)
    rows = await connection.fetch(
        _OF_WINDOW if asked.subject is None else _OF_SUBJECT,
        before,
        down_to,
        asked.subject,
        asked.verdict,
        asked.case_id,
        limit,
    )
    covered = rows[-1]["inbox_id"] if len(rows) == limit else down_to
    return [_item(row) for row in rows], write_cursor(of_list, covered) if covered > 1 else None


def _item(row: asyncpg.Record) -> dict[str, Any]:
    findings = orjson.loads(row["findings"] or b"[]")
    duplicate = row["duplicate_of"] is not None
    return {
        "inbox_id": row["inbox_id"],
        "event": {"source": row["event_source"], "id": row["event_id"]},
        "event_type": row["event_type"],
        "subject": row["subject"],
        "case_id": row["case_id"],
        "received_at": row["received_at"],
        "topic": row["topic"],
        "partition": row["kafka_partition"],
        "offset": row["kafka_offset"],
        "verdict": row["verdict"],
        "codes": [finding for finding in findings if finding["code"].startswith("E_")],
        "warnings": [finding for finding in findings if finding["code"].startswith("W_")],
        "record_uid": row["record_uid"],
        "version": row["version"],
        "reevaluate_on": row["reevaluate_on"],
        "waits_for": row["waits_for"],
        "duplicate_of": {"source": row["earlier_source"], "id": row["earlier_id"]} if duplicate else None,
        "alert": row["alert"],
    }
