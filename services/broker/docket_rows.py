"""The rows of a docket as COPY takes them: columns, and the encoding of one row in their order. Pure."""

from __future__ import annotations

import zlib
from struct import Struct
from typing import TYPE_CHECKING

import orjson

from services.broker.copy_format import (
    NULL,
    boolean,
    day,
    int4,
    int8,
    microseconds,
    moment,
    octets,
    text,
    word,
    words,
)

if TYPE_CHECKING:
    from datetime import datetime

    from services.broker.arrival import Arrival
    from services.broker.docket import VerdictRow
    from services.broker.situation import InboxEntry, RecordVersion

LANE_HASHES = 32_768  # a smallint's non-negative half: readers take it modulo their shards

INBOX_COLUMNS = (
    "inbox_id", "kafka_partition", "kafka_offset", "received_at", "topic", "event_source", "event_id",
    "event_type", "subject", "event_time", "case_id", "trace_id", "content_sha256", "act_key", "holds_key",
    "data", "verdict", "codes", "findings", "record_uid", "version", "reevaluate_on", "waits_for",
    "duplicate_of", "alert",
)  # fmt: skip
RECORD_COLUMNS = (
    "seq", "version", "lane_hash", "updated_at", "record_uid", "state", "cause", "subject", "lane", "case_id",
    "authority_uscc", "doc_key", "regions", "areas", "channels", "listed_on", "publicity_until",
)  # fmt: skip
FEED_COLUMNS = (
    "seq", "version", "lane_hash", "registered_at", "inbox_id", "record_uid", "kind", "op", "state", "cause",
    "supersedes", "subject", "lane", "regions", "areas", "channels", "trace_id", "body",
)  # fmt: skip
VERDICT_COLUMNS = ("verdict_seq", "inbox_id", "judged_at", "subject", "verdict", "body")

# Columns of fixed width stand first: number of columns, then length and value of each.
_INBOX = Struct(">h iq ii iq iq")
_RECORD = Struct(">h iq ii ih iq")
_FEED = Struct(">h iq ii ih iq iq")
_VERDICT = Struct(">h iq iq iq")


def lane_hash(lane: str) -> int:
    """CRC-32 of the lane, modulo LANE_HASHES."""
    return zlib.crc32(lane.encode()) % LANE_HASHES


def findings_json(entry: InboxEntry) -> bytes | None:
    """Codes and warnings with all that is said of them; None if there are none."""
    if not entry.codes and not entry.warnings:
        return None
    return orjson.dumps([finding.as_dict() for finding in (*entry.codes, *entry.warnings)])


def inbox_row(arrival: Arrival, entry: InboxEntry, topic: str, now: datetime) -> bytes:
    message, original = arrival.message, entry.duplicate_of
    return b"".join(
        (
            _INBOX.pack(
                25, 8, entry.inbox_id, 4, message.partition, 8, message.offset, 8, microseconds(now)
            ),
            word(topic), word(entry.source), text(entry.event_id), word(entry.type), text(entry.subject),
            moment(entry.time), text(entry.case_id), text(entry.trace_id), octets(entry.digest),
            text(entry.act_key), boolean(entry.holds_key), octets(entry.stored_data), word(entry.verdict),
            words(tuple(finding.code for finding in entry.codes)), octets(findings_json(entry)),
            text(entry.record_uid), int4(entry.version), day(entry.reevaluate_on), word(entry.waits_for),
            NULL if original is None else int8(original.inbox_id), boolean(entry.alert),
        )
    )  # fmt: skip


def record_row(version: RecordVersion, seq: int, now: datetime) -> bytes:
    subject = text(version.subject)
    return b"".join(
        (
            _RECORD.pack(
                17, 8, seq, 4, version.version, 2, lane_hash(version.lane), 8, microseconds(now)
            ),
            text(version.record_uid), word(version.state), word(version.cause), subject,
            subject if version.lane == version.subject else text(version.lane), text(version.case_id),
            word(version.authority_uscc), text(version.doc_key), words(version.regions), words(version.areas),
            words(version.channels), day(version.listed_on), day(version.publicity_until),
        )
    )  # fmt: skip


def feed_row(version: RecordVersion, body: bytes, seq: int, now: datetime) -> bytes:
    subject = text(version.subject)
    return b"".join(
        (
            _FEED.pack(
                18, 8, seq, 4, version.version, 2, lane_hash(version.lane), 8, microseconds(now),
                8, version.inbox_id,
            ),
            text(version.record_uid), word("RECORD"), word(version.op), word(version.state),
            word(version.cause), int4(version.supersedes), subject,
            subject if version.lane == version.subject else text(version.lane), words(version.regions),
            words(version.areas), words(version.channels), text(version.trace_id), octets(body),
        )
    )  # fmt: skip


def verdict_row(row: VerdictRow, seq: int, now: datetime) -> bytes:
    return b"".join(
        (
            _VERDICT.pack(6, 8, seq, 8, row.inbox_id, 8, microseconds(now)),
            text(row.subject), word(row.verdict), octets(row.body),
        )
    )  # fmt: skip
