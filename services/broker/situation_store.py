"""Loads what the judge must know about a batch's subjects: four statements, whatever the batch's size."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from schemas.events import FactData, read_data
from schemas.events.verdict import Verdict
from services.broker.situation import InboxEntry, RecordVersion, Situation

if TYPE_CHECKING:
    from collections.abc import Sequence

    import asyncpg

    from services.broker.arrival import Arrival

# `limit` and `offset` keep the planner from joining the laterals away: each key is one index probe,
# whatever it believes about tables that were empty when it made the plan.
ENTRIES = """
select i.inbox_id, i.event_source, i.event_id, i.event_type, i.subject, i.event_time, i.case_id, i.trace_id,
       i.content_sha256, i.act_key, i.holds_key, i.data, i.verdict, i.record_uid, i.version, i.waits_for
from (
    select x.inbox_id from unnest($1::text[], $2::text[]) k(source, id) cross join lateral (
        select inbox_id from inbox where holds_key and event_source = k.source and event_id = k.id limit 1) x
    union
    select x.inbox_id from unnest($3::text[]) k(act) cross join lateral (
        select inbox_id from inbox where holds_key and act_key is not null and act_key = k.act limit 1) x
    union
    select x.inbox_id from unnest($4::text[]) k(subject) cross join lateral (
        select inbox_id from inbox where subject = k.subject and verdict = 'HELD' offset 0) x
) found cross join lateral (select * from inbox where inbox_id = found.inbox_id limit 1) i
"""
RECORDS = """
select r.record_uid, r.version, f.op, r.state, r.cause, f.supersedes, r.subject, r.lane, r.case_id,
       r.authority_uscc, r.doc_key, r.regions, r.areas, r.channels, r.listed_on, r.publicity_until, f.body,
       f.inbox_id, f.trace_id
from unnest($1::text[]) k(subject)
cross join lateral (select * from record where subject = k.subject offset 0) r
cross join lateral (select * from feed where seq = r.seq limit 1) f
"""
CASES = """
select x.case_id, x.subject, x.regions from unnest($1::text[]) k(case_id)
cross join lateral (select case_id, subject, regions from record where case_id = k.case_id offset 0) x
"""


async def load_situation(connection: asyncpg.Connection, arrivals: Sequence[Arrival]) -> Situation:
    """What is known about the subjects of these events; they must be locked already."""
    situation = Situation()
    sound = [arrival.event for arrival in arrivals if not arrival.event.findings]
    subjects = list({event.subject for event in sound if event.subject is not None})
    acts = list({arrival.act_key for arrival in arrivals if arrival.act_key is not None})
    keys = list({(event.source, event.id) for event in sound})
    # Cases first: they are the only thing read here that our locks do not hold still, and whoever sees
    # another subject's case below must also see the events that made it.
    cases = list({event.data.case_id for event in sound if isinstance(event.data, FactData)})
    for case_id, subject, regions in await connection.fetch(CASES, cases):
        situation.case_subjects.setdefault(case_id, []).append((subject, tuple(regions)))
    rows = await connection.fetch(
        ENTRIES, [source for source, _ in keys], [event_id for _, event_id in keys], acts, subjects
    )
    for row in rows:
        situation.admit(_entry(row))
    for row in await connection.fetch(RECORDS, subjects):
        record = _record(row)
        situation.records.setdefault(record.subject, {})[record.record_uid] = record
    return situation


def _entry(row: asyncpg.Record) -> InboxEntry:
    (inbox_id, source, event_id, event_type, subject, time, case_id, trace_id, digest, act_key, holds_key,
     stored, verdict, record_uid, version, waits_for) = row  # fmt: skip
    return InboxEntry(
        inbox_id=inbox_id,
        source=source,
        event_id=event_id,
        type=event_type,
        subject=subject,
        time=time,
        case_id=case_id,
        trace_id=trace_id,
        digest=digest,
        act_key=act_key,
        holds_key=holds_key,
        data=read_data(event_type, orjson.loads(stored)).data if stored is not None else None,
        stored_data=stored,
        verdict=Verdict(verdict),
        record_uid=record_uid,
        version=version,
        waits_for=waits_for,
        in_database=True,
    )


def _record(row: asyncpg.Record) -> RecordVersion:
    (uid, version, op, state, cause, supersedes, subject, lane, case_id, authority, doc_key, regions, areas,
     channels, listed_on, publicity_until, body, inbox_id, trace_id) = row  # fmt: skip
    return RecordVersion(
        record_uid=uid,
        version=version,
        op=op,
        state=state,
        cause=cause,
        supersedes=supersedes,
        subject=subject,
        lane=lane,
        case_id=case_id,
        authority_uscc=authority,
        doc_key=doc_key,
        regions=tuple(regions),
        areas=tuple(areas),
        channels=tuple(channels),
        listed_on=listed_on,
        publicity_until=publicity_until,
        body=orjson.loads(body),
        inbox_id=inbox_id,
        trace_id=trace_id,
        in_database=True,
    )
