"""Writes a heard batch: one statement a table, new rows by COPY, and the sequence last."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from schemas.record import body_bytes
from services.broker import docket_rows
from services.broker.copy_format import stream

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    import asyncpg

    from services.broker.deadletters import LetterSeal
    from services.broker.docket import Docket
    from services.broker.situation import InboxEntry, RecordVersion

FEED_CHANNEL = "liancheng_feed"
VERDICT_CHANNEL = "liancheng_verdicts"

RESETTLE = """
update inbox i set verdict = v.verdict, codes = array(select json_array_elements_text(v.codes)),
    findings = v.findings, record_uid = v.record_uid, version = v.version, reevaluate_on = null,
    waits_for = v.waits_for, act_key = v.act_key
from unnest($1::bigint[], $2::text[], $3::json[], $4::json[], $5::text[], $6::int[], $7::text[], $8::text[])
    v(inbox_id, verdict, codes, findings, record_uid, version, waits_for, act_key)
where i.inbox_id = v.inbox_id
"""
ADVANCE_RECORDS = """
update record r set version = v.version, seq = v.seq, state = v.state, cause = v.cause, doc_key = v.doc_key,
    areas = array(select json_array_elements_text(v.areas)),
    channels = array(select json_array_elements_text(v.channels)),
    regions = array(select json_array_elements_text(v.regions)),
    listed_on = v.listed_on, publicity_until = v.publicity_until, updated_at = $1
from unnest($2::text[], $3::int[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::json[], $9::json[],
            $10::json[], $11::date[], $12::date[])
    v(record_uid, version, seq, state, cause, doc_key, areas, channels, regions, listed_on, publicity_until)
where r.record_uid = v.record_uid
"""
TAKE_NUMBERS = """
update sequence_head set feed = feed + $1, verdict = verdict + $2 returning feed - $1, verdict - $2
"""
NOTIFY = f"select pg_notify('{VERDICT_CHANNEL}', $1::text), pg_notify('{FEED_CHANNEL}', $2::text)"
NOTIFY_VERDICTS = f"select pg_notify('{VERDICT_CHANNEL}', $1::text)"
LETTER_COLUMNS = (
    "inbox_id", "topic", "kafka_partition", "kafka_offset", "codes", "size_bytes", "sealed", "created_at",
    "expires_at",
)  # fmt: skip


async def write_inbox(
    connection: asyncpg.Connection, docket: Docket, topic: str, now: datetime, seal: LetterSeal
) -> None:
    """The inbox, what changed in it, and dead letters.

    Changes first: a fuller report takes over the key of its act.
    """
    await resettle(connection, docket.changed)
    rows = (docket_rows.inbox_row(arrival, entry, topic, now) for arrival, entry in docket.heard)
    await _copy(connection, "inbox", docket_rows.INBOX_COLUMNS, rows)
    letters = [seal.letter(arrival.message, entry, topic, now) for arrival, entry in docket.refused]
    if letters:
        await connection.copy_records_to_table("dead_letter", records=letters, columns=LETTER_COLUMNS)


async def resettle(connection: asyncpg.Connection, entries: Sequence[InboxEntry]) -> None:
    """Rows of the inbox whose verdict or key is another now."""
    if entries:
        await connection.execute(
            RESETTLE,
            [entry.inbox_id for entry in entries],
            [entry.verdict for entry in entries],
            [orjson.dumps([finding.code for finding in entry.codes]) for entry in entries],
            [docket_rows.findings_json(entry) for entry in entries],
            [entry.record_uid for entry in entries],
            [entry.version for entry in entries],
            [entry.waits_for for entry in entries],
            [entry.act_key for entry in entries],
        )


async def write_versions(connection: asyncpg.Connection, docket: Docket, now: datetime) -> None:
    """Feed, records and verdicts, numbered.

    The head row is locked from here to the commit; nothing but the writing of what it numbers stands behind
    it.
    """
    versions, verdicts = docket.versions, docket.verdicts
    bodies = [body_bytes(version.body) for version in versions]
    feed, verdict = await connection.fetchrow(TAKE_NUMBERS, len(versions), len(verdicts))
    if versions:
        numbered = zip(versions, bodies, range(feed + 1, feed + 1 + len(versions)), strict=True)
        rows = (docket_rows.feed_row(version, body, seq, now) for version, body, seq in numbered)
        await _copy(connection, "feed", docket_rows.FEED_COLUMNS, rows)
        await _write_records(connection, versions, feed, now)
    judged = (docket_rows.verdict_row(row, verdict + at, now) for at, row in enumerate(verdicts, 1))
    await _copy(connection, "verdict", docket_rows.VERDICT_COLUMNS, judged)
    last = str(verdict + len(verdicts))
    if versions:
        await connection.execute(NOTIFY, last, str(feed + len(versions)))
    else:
        await connection.execute(NOTIFY_VERDICTS, last)


async def _write_records(
    connection: asyncpg.Connection, versions: Sequence[RecordVersion], before: int, now: datetime
) -> None:
    """The newest version of each record touched: a new row, or the row it has moved on."""
    newest = {version.record_uid: (seq, version) for seq, version in enumerate(versions, before + 1)}
    fresh = {version.record_uid for version in versions if version.version == 1}
    new = (docket_rows.record_row(v, seq, now) for seq, v in newest.values() if v.record_uid in fresh)
    old = [(seq, version) for seq, version in newest.values() if version.record_uid not in fresh]
    if fresh:
        await _copy(connection, "record", docket_rows.RECORD_COLUMNS, new)
    if old:
        await connection.execute(
            ADVANCE_RECORDS,
            now,
            [version.record_uid for _, version in old],
            [version.version for _, version in old],
            [seq for seq, _ in old],
            [version.state for _, version in old],
            [version.cause for _, version in old],
            [version.doc_key for _, version in old],
            [orjson.dumps(version.areas) for _, version in old],
            [orjson.dumps(version.channels) for _, version in old],
            [orjson.dumps(version.regions) for _, version in old],
            [version.listed_on for _, version in old],
            [version.publicity_until for _, version in old],
        )


async def _copy(
    connection: asyncpg.Connection, table: str, columns: Sequence[str], rows: Iterable[bytes]
) -> None:
    await connection.copy_to_table(table, source=stream(rows), columns=columns, format="binary")
