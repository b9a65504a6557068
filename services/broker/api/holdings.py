"""What each destination holds of one record: derived from ledger, parked deliveries and leases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    import asyncpg

Json = dict[str, Any]

# Per destination: whether the newest version is addressed to it, the highest version that it acknowledged,
# later ones whose outcome is unknown, the last entry of the ledger, what waits in a parked lane, and how far
# its shard is.
_HOLDINGS = """
with of_record as materialized (
    select reader, entry_id, kind, version, op, outcome, status, error, settled_at
    from ledger where record_uid = $1
)
select d.code, d.name_zh, d.name_en, d.state as destination_state, d.channel,
    (d.channel = any(r.channels) or (d.areas && r.areas and d.regions && r.regions)) is true as addressed,
    coalesce(l.position, d.start_after) < r.seq and d.start_after < r.seq as behind,
    r.version as newest, held.version as held_version, held.op as held_op,
    unknown.versions as unknown_versions, last.version as last_version, last.op as last_op,
    last.outcome as last_outcome, last.status as last_status, last.error as last_error,
    last.settled_at as last_at, parked.version as parked_version, parked.attempt as parked_attempt,
    parked.due_at as parked_due_at, parked.last_error as parked_error
from record r cross join destination d
left join lease l on l.destination = d.code and l.shard = r.lane_hash % d.shards
left join lateral (
    select version, op from of_record where reader = d.code and outcome = 'ACCEPTED'
    order by version desc, entry_id desc limit 1
) held on true
left join lateral (
    select array_agg(distinct version order by version) as versions from of_record
    where reader = d.code and outcome = 'UNKNOWN' and version > coalesce(held.version, 0)
) unknown on true
left join lateral (select * from of_record where reader = d.code order by entry_id desc limit 1) last on true
left join lateral (
    select version, attempt, due_at, last_error from parked_delivery p
    where p.destination = d.code and p.record_uid = $1 order by version desc limit 1
) parked on true
where r.record_uid = $1
order by d.code
"""


async def read_holdings(connection: asyncpg.Connection, record_uid: str) -> list[Json]:
    """One entry for each destination that was, or is to be, told of the record. Needs the sight of all."""
    rows = await connection.fetch(_HOLDINGS, record_uid)
    return [holding for row in rows if (holding := holding_of(row)) is not None]


def holding_of(row: Mapping[str, Any]) -> Json | None:
    """Read one row of the query; None if the record never concerned this destination."""
    unknown = list(row["unknown_versions"] or ())
    told = row["last_version"] is not None
    # Whoever may hold an earlier version is owed every later one, addressed or not.
    queued = row["behind"] and (row["addressed"] or row["held_version"] is not None or bool(unknown))
    if not told and not queued and row["parked_version"] is None:
        return None
    dropped = row["held_op"] == "RETRACT"
    return {
        "destination": row["code"],
        "name_zh": row["name_zh"],
        "name_en": row["name_en"],
        "channel": row["channel"],
        "destination_state": row["destination_state"],
        "state": _state(row, queued=queued, unknown=unknown, dropped=dropped),
        "holds": None if dropped else row["held_version"],
        "retracted": row["held_version"] if dropped else None,
        "may_hold": unknown,
        "waiting": _waiting(row, queued=queued),
        "last": _last(row) if told else None,
    }


def _state(row: Mapping[str, Any], *, queued: bool, unknown: list[int], dropped: bool) -> str:
    if row["parked_version"] is not None:
        return "PARKED"
    if queued:
        return "QUEUED"
    if unknown:
        return "MAY_HOLD"
    if row["held_version"] is not None and row["held_version"] >= row["last_version"]:
        return "RETRACTED" if dropped else "HELD"
    return "SUPERSEDED" if row["last_outcome"] == "SUPERSEDED" else "REJECTED"


def _waiting(row: Mapping[str, Any], *, queued: bool) -> Json | None:
    if row["parked_version"] is not None:
        return {
            "state": "PARKED",
            "version": row["parked_version"],
            "attempt": row["parked_attempt"],
            "due_at": row["parked_due_at"],
            "last_error": row["parked_error"],
        }
    if queued:
        return {
            "state": "QUEUED",
            "version": row["newest"],
            "attempt": 0,
            "due_at": None,
            "last_error": None,
        }
    return None


def _last(row: Mapping[str, Any]) -> Json:
    return {
        "version": row["last_version"],
        "op": row["last_op"],
        "outcome": row["last_outcome"],
        "status": row["last_status"],
        "error": row["last_error"],
        "at": row["last_at"],
    }
