"""The judge: (event, situation of its subject, policy, date) → verdict and what it changes. Pure.

A new event type is a model in `schemas.events`, a module with its rule, and a line in `RULES`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.codes import Code, Finding
from schemas.documents import content_digest, known_digest
from schemas.events import CapacityExitOverdue, DecisionRevoked, FactData, ListingDecided
from schemas.events.verdict import Verdict
from services.broker import facts, listings, revocations
from services.broker.arrival import decision_of
from services.broker.matter import Matter, Outcome, Rule
from services.broker.situation import InboxEntry

if TYPE_CHECKING:
    from schemas.events import EventData
    from schemas.events.parts import Decision, Notice
    from services.broker.arrival import Arrival
    from services.broker.matter import Bench
    from services.broker.situation import Situation

RULES: dict[str, Rule] = {
    CapacityExitOverdue.event_type: facts.RULE,
    ListingDecided.event_type: listings.RULE,
    DecisionRevoked.event_type: revocations.RULE,
}
_OCCUPIES_KEY = frozenset({Verdict.ACCEPTED, Verdict.HELD, Verdict.CONTEXT, Verdict.CANDIDATE_DUPLICATE})
_COMPLETED_BY = {"decision": {"served_on", "notice"}}
"""What a fuller report of one decision may add (`RULINGS` I2)."""


def judge(arrival: Arrival, situation: Situation, bench: Bench) -> tuple[InboxEntry, Outcome]:
    """Judge one event, and move the situation on. Never raises for what stands in an event."""
    matter = Matter(arrival, arrival.event, situation, bench)
    outcome = _outcome(matter)
    entry = _entry(matter, outcome)
    if entry.act_key is not None and (poorer := situation.acts.get(entry.act_key)) is not None:
        # A fuller report of the act holds its key from now on, so that later ones are compared with it.
        situation.release_act(poorer)
    if outcome.record is not None:
        situation.write(outcome.record)
        for held in outcome.settled:
            situation.settle(held, outcome.record)
    situation.admit(entry)
    return entry, outcome


def _outcome(matter: Matter) -> Outcome:
    event = matter.event
    poorer = None
    if not event.findings:
        if (known := _same_event(matter)) is not None:
            return known
        earlier = matter.situation.acts.get(matter.arrival.act_key) if matter.arrival.act_key else None
        if earlier is not None:
            if (same := _same_act(matter, earlier)) is not None:
                return same
            poorer = earlier
    rule = RULES.get(event.type)
    if rule is not None and event.data is not None:
        rule.check(matter, event.data)
    if event.findings or matter.problems:
        return Outcome(Verdict.REFUSED, (*event.findings, *matter.problems, *matter.holds))
    if matter.holds:
        return Outcome(Verdict.HELD, tuple(matter.holds))
    assert rule is not None and event.data is not None  # noqa: S101, PT018 - else there are findings
    return rule.decide(matter, event.data, poorer)


def _same_event(matter: Matter) -> Outcome | None:
    """The same source and id: the same content again, or a conflict, never an overwrite."""
    event = matter.event
    earlier = matter.situation.events.get((event.source, event.id))
    if earlier is None:
        return None
    if earlier.subject == event.subject and _says_the_same(matter, earlier):
        return Outcome(Verdict.DUPLICATE, duplicate_of=earlier)
    return _conflict(earlier, "id", event.id)


def _same_act(matter: Matter, earlier: InboxEntry) -> Outcome | None:
    """Another report of the same act; None if it completes the earlier one."""
    if _says_the_same(matter, earlier):
        return Outcome(Verdict.DUPLICATE, duplicate_of=earlier)
    new, old = matter.event.data, earlier.data
    if isinstance(new, FactData) and isinstance(old, FactData):
        here, there = decision_of(new), decision_of(old)
        if here is not None and there is not None and _rest(new) == _rest(old):
            if _is_fuller(here, there):
                return None
            if _is_fuller(there, here):
                return Outcome(Verdict.DUPLICATE, duplicate_of=earlier)
    return _conflict(earlier, "data", None)


def _says_the_same(matter: Matter, earlier: InboxEntry) -> bool:
    """Equal bytes, or (which is dearer, and rarely asked) equal in canonical form."""
    here, there = matter.arrival.stored, earlier.stored_data
    if earlier.digest == matter.arrival.digest:
        return True
    return here is not None and there is not None and known_digest(here) == known_digest(there)


def _conflict(earlier: InboxEntry, field: str, value: str | None) -> Outcome:
    finding = Finding(Code.E_CONFLICTING_DUPLICATE, field, value)
    return Outcome(Verdict.CONFLICT, (finding,), duplicate_of=earlier)


def _rest(data: EventData) -> bytes:
    return content_digest(data, exclude=_COMPLETED_BY)


def _is_fuller(full: Decision, poor: Decision) -> bool:
    """Whether `full` says all that `poor` says of service and notice, and an open defence at most ended."""
    if poor.served_on not in (None, full.served_on):
        return False
    return poor.notice is None or (full.notice is not None and _notice_is_fuller(full.notice, poor.notice))


def _notice_is_fuller(full: Notice, poor: Notice) -> bool:
    if poor.served_on != full.served_on:
        return False
    if poor.doc_no not in (None, full.doc_no) or poor.defence_until not in (None, full.defence_until):
        return False
    return poor.defence == full.defence or poor.defence in (None, "OPEN")


def _entry(matter: Matter, outcome: Outcome) -> InboxEntry:
    arrival, event = matter.arrival, matter.event
    refused = outcome.verdict is Verdict.REFUSED
    held = outcome.verdict is Verdict.HELD
    occupies = outcome.verdict in _OCCUPIES_KEY
    record = outcome.record
    return InboxEntry(
        inbox_id=arrival.inbox_id,
        source=event.source or None,
        event_id=event.id or None,
        type=event.type or None,
        subject=event.subject,
        time=event.time,
        case_id=event.data.case_id if event.data is not None else None,
        trace_id=event.trace_id,
        digest=arrival.digest,
        act_key=arrival.act_key if occupies else None,
        holds_key=occupies,
        data=event.data,
        stored_data=None if refused else arrival.stored,
        verdict=outcome.verdict,
        codes=list(outcome.codes),
        warnings=[*event.warnings, *matter.warnings],
        record_uid=record.record_uid if record is not None else None,
        version=record.version if record is not None else None,
        reevaluate_on=matter.reevaluate_on,
        waits_for=matter.waits_for if held else None,
        duplicate_of=outcome.duplicate_of,
    )
