"""Making record versions: from a fact, from a listing, and ending them. Pure; dates inside bodies stay
dates until they are written, and come back from the database as text.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any

from schemas.record import record_body, revocation
from services.broker.arrival import document_key
from services.broker.measures import Equipment, carried
from services.broker.periods import day_of
from services.broker.situation import RecordVersion

if TYPE_CHECKING:
    from schemas.catalogue.policy import Profile
    from schemas.events import DecisionRevoked, FactData
    from schemas.events.parts import Decision
    from schemas.record import Body
    from services.broker.listing_check import Listing
    from services.broker.matter import Matter
    from services.broker.policy import Policy

FACT_FOUND, DECIDED, LISTED, REVOKED = "FACT_FOUND", "DECIDED", "LISTED", "REVOKED"
WAITING = frozenset({FACT_FOUND, "NOTIFIED", "DEFENCE", "CONSENT", DECIDED})
"""States of a record that waits for its listing to take effect."""
ENDED = frozenset({"DROPPED", "REMOVED", REVOKED})
UPSERT, RETRACT = "UPSERT", "RETRACT"
_MINOR = "MINOR"
_NOBODY: tuple[str, ...] = ()


def as_date(value: date | str | None) -> date | None:
    """A date of a body, new or read back."""
    return date.fromisoformat(value) if isinstance(value, str) else value


def decided_on(record: RecordVersion) -> date | None:
    decision = record.body["decision"]
    return None if decision is None else as_date(decision["decided_on"])


def fact_version(
    matter: Matter, data: FactData, profile: Profile, former: RecordVersion | None
) -> RecordVersion:
    """A record in FACT_FOUND, or one more fact of such a record. Owed to nobody."""
    body = record_body(
        data,
        state=FACT_FOUND,
        in_force=False,
        name_from=day_of(matter.event.time) if matter.event.time else None,
        effective_due=_due(data),
        listed_on=None,
        publicity_until=None,
        record_class=profile.record_class,
        severity=profile.severity,
        warnings=matter.warnings,
    )
    if former is not None:
        body = joined(former.body, body)
    return _version(matter, data, former, body, areas=_NOBODY, channels=_NOBODY, doc_key=None)


def listing_version(
    matter: Matter, data: FactData, decision: Decision, listing: Listing, former: RecordVersion | None
) -> RecordVersion:
    """DECIDED while not served or not yet begun, else LISTED."""
    served = listing.listed_on is not None and listing.listed_on <= matter.bench.today
    body = record_body(
        data,
        state=LISTED if served else DECIDED,
        in_force=served,
        name_from=decision.decided_on,
        effective_due=_due(data),
        listed_on=listing.listed_on,
        publicity_until=listing.publicity_until,
        record_class=listing.record_class,
        severity=listing.severity,
        decision=decision,
        warnings=matter.warnings,
    )
    if former is not None:
        body = completed(body, former.body)
    areas, channels = _NOBODY, _NOBODY
    if listing.listed_on is not None:
        policy = matter.bench.policy
        found = carried(
            policy,
            listing.profile,
            dimensions=data.dimensions,
            equipment=_equipment(policy, data, body),
            decided_on=decision.decided_on,
            listed_on=listing.listed_on,
            until=listing.publicity_until,
        )
        body["measures"] = found.measures
        if served:
            reach = policy.reach(listing.profile, data.authority.region)
            areas = found.areas
            channels = reach.agency_channels if listing.severity == _MINOR else reach.channels
    return _version(
        matter, data, former, body, areas=areas, channels=channels, doc_key=document_key(decision.doc_no)
    )


def revocation_of(data: DecisionRevoked) -> Body:
    """What a record says of its revocation."""
    revoking = data.revoking
    return revocation(
        revoking.doc_no if revoking is not None else None,
        revoking.decided_on if revoking is not None else None,
        data.public_explanation,
    )


def revoked_version(
    matter: Matter, former: RecordVersion, shown: Body, *, owed_to_nobody: bool = False
) -> RecordVersion:
    """The version after `former` in REVOKED, concerning whoever that concerned.

    With `owed_to_nobody` it takes the place of `former`, which never was: the listing met its revocation.
    """
    on = as_date(shown["decided_on"]) or matter.bench.today
    body = former.body | {
        "state": REVOKED,
        "cause": REVOKED,
        "in_force": False,
        "measures": [_ended(entry, on) for entry in former.body["measures"]],
        "revocation": shown,
    }
    return replace(
        former,
        version=former.version if owed_to_nobody else former.version + 1,
        op=RETRACT,
        state=REVOKED,
        cause=REVOKED,
        supersedes=None,
        areas=_NOBODY if owed_to_nobody else former.areas,
        channels=_NOBODY if owed_to_nobody else former.channels,
        body=body,
        inbox_id=matter.arrival.inbox_id,
        trace_id=matter.event.trace_id,
        in_database=False,
    )


def with_fact(matter: Matter, data: FactData, record: RecordVersion) -> RecordVersion | None:
    """The next version of a record that takes a fact of its case in; None if the fact says nothing new."""
    body, areas = completed(record.body, _facts_of(data)), record.areas
    if body == record.body:
        return None
    if record.listed_on is not None:
        body, areas = _priced(matter, data, record, body)
    return replace(
        record,
        version=record.version + 1,
        op=UPSERT,
        supersedes=None,
        areas=areas if record.areas else _NOBODY,
        body=body,
        inbox_id=matter.arrival.inbox_id,
        trace_id=matter.event.trace_id,
        in_database=False,
    )


def _facts_of(data: FactData) -> Body:
    """What a fact can add to a record that is decided."""
    return record_body(
        data,
        state=FACT_FOUND,
        in_force=False,
        name_from=None,
        effective_due=_due(data),
        listed_on=None,
        publicity_until=None,
        record_class="",
        severity="",
    )


def _due(data: FactData) -> date | None:
    """The due date that the event states; with an extension another holds, which is computed where those
    are.
    """
    obligation = data.obligation
    return obligation.due_on if obligation is not None and obligation.extension is None else None


def _priced(
    matter: Matter, data: FactData, record: RecordVersion, body: Body
) -> tuple[Body, tuple[str, ...]]:
    """Price measures that follow from equipment which only the fact names."""
    on = decided_on(record)
    policy = matter.bench.policy
    profile = policy.profile(body["authority"]["region"], on) if on is not None else None
    if profile is None or on is None or record.listed_on is None:
        return body, record.areas
    found = carried(
        policy,
        profile,
        dimensions=body["dimensions"],
        equipment=_equipment(policy, data, body),
        decided_on=on,
        listed_on=record.listed_on,
        until=record.publicity_until,
    )
    known = {entry["code"] for entry in body["measures"]}
    added = [entry for entry in found.measures if entry["code"] not in known]
    areas = tuple(dict.fromkeys((*record.areas, *(entry["area"] for entry in added))))
    return body | {"measures": [*body["measures"], *added]}, areas


def joined(body: Body, more: Body) -> Body:
    """Two facts of one case as one: reasons, dimensions and authorities are sets (`RULINGS` L10)."""
    return completed(body, more) | {"dimensions": sorted({*body["dimensions"], *more["dimensions"]})}


def completed(body: Body, fact: Body) -> Body:
    """What a listing says, and of its facts what it does not say: the same in whatever order they came
    (V6).
    """
    filled: dict[str, Any] = {
        name: fact[name]
        for name in ("legal_rep", "industry", "capacity_items", "effective_due")
        if not body[name] and fact[name]
    }
    return (
        body
        | filled
        | {
            "reasons": sorted({*body["reasons"], *fact["reasons"]}),
            "case_ids": sorted({*body["case_ids"], *fact["case_ids"]}),
            "co_authorities": _authorities(body["co_authorities"], fact["co_authorities"]),
        }
    )


def _authorities(*lists: list[Body]) -> list[Body]:
    by_code = {authority["uscc"]: authority for found in reversed(lists) for authority in found}
    return [by_code[code] for code in sorted(by_code)]


def _ended(entry: Body, on: date) -> Body:
    start, end = as_date(entry["start"]), as_date(entry["end"])
    last = on if start is None else max(on, start)
    return entry | {"end": last if end is None else min(end, last)}


def _equipment(policy: Policy, data: FactData, body: Body) -> Equipment:
    entries = [item["catalog"] for item in body["capacity_items"]]
    industry, credit = body["industry"], data.enterprise.env_credit
    return Equipment(
        frozenset(entry["class"] for entry in entries if entry is not None),
        None if industry is None else policy.industry_2017(industry["edition"], industry["code"]),
        None if credit is None else (credit.grade, credit.year),
    )


def _version(
    matter: Matter,
    data: FactData,
    former: RecordVersion | None,
    body: Body,
    *,
    areas: tuple[str, ...],
    channels: tuple[str, ...],
    doc_key: str | None,
) -> RecordVersion:
    subject = data.enterprise.uscc
    return RecordVersion(
        former.record_uid if former is not None else matter.bench.mint(),
        former.version + 1 if former is not None else 1,
        UPSERT,
        body["state"],
        None,
        None,
        subject,
        former.lane if former is not None else subject,
        data.case_id,
        data.authority.uscc,
        doc_key,
        matter.bench.policy.regions(data.authority.region),
        areas,
        channels,
        body["listed_on"],
        body["publicity_until"],
        body,
        matter.arrival.inbox_id,
        matter.event.trace_id,
    )
