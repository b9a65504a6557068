"""未按期退出: what comes of an overdue fact (`RULINGS` L1, I3). Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.events import CapacityExitOverdue, EventData
from schemas.events.verdict import Verdict
from services.broker import listings
from services.broker.fact_check import check_due_date, check_ground
from services.broker.linking import check_case, check_record_uid, record_for_fact, records_of_case
from services.broker.matter import Matter, Outcome, Rule
from services.broker.periods import day_of
from services.broker.records import ENDED, decided_on, fact_version, with_fact

if TYPE_CHECKING:
    from datetime import date

    from services.broker.situation import InboxEntry, RecordVersion


def check(matter: Matter, data: EventData) -> None:
    assert isinstance(data, CapacityExitOverdue)  # noqa: S101 - the registry pairs type and rule
    if data.decision is not None:
        listings.check_decision(matter, data, data.decision)
        return
    check_due_date(matter, data)
    time = matter.event.time if matter.event.sound("time") else None
    ground = check_ground(matter, data, day_of(time) if time is not None else None)
    if ground is not None and matter.event.sound("data.case_id"):
        check_case(matter, data, ground.profile)
        check_record_uid(matter, data, _record(matter, data))


def decide(matter: Matter, data: EventData, poorer: InboxEntry | None) -> Outcome:
    assert isinstance(data, CapacityExitOverdue)  # noqa: S101
    if data.decision is not None:
        return listings.decide_decision(matter, data, data.decision, poorer)
    record = _record(matter, data)
    if record is None:
        return Outcome(Verdict.ACCEPTED, record=_found(matter, data, None))
    if record.state in ENDED:
        return Outcome(Verdict.CONTEXT)
    if decided_on(record) is not None:
        version = with_fact(matter, data, record)
    else:
        version = _found(matter, data, record)
        version = version if version.body != record.body else None
    return Outcome(Verdict.CONTEXT) if version is None else Outcome(Verdict.ACCEPTED, record=version)


def _found(matter: Matter, data: CapacityExitOverdue, former: RecordVersion | None) -> RecordVersion:
    time = matter.event.time
    profile = matter.bench.policy.profile(data.authority.region, day_of(time)) if time is not None else None
    assert profile is not None  # noqa: S101 - else `check` has refused
    return fact_version(matter, data, profile, former)


def _record(matter: Matter, data: CapacityExitOverdue) -> RecordVersion | None:
    return record_for_fact(records_of_case(matter, data.case_id), _happened_on(matter, data))


def _happened_on(matter: Matter, data: CapacityExitOverdue) -> date:
    if data.obligation is not None and data.obligation.due_on is not None:
        return data.obligation.due_on
    assert matter.event.time is not None  # noqa: S101 - required of every event
    return day_of(matter.event.time)


RULE = Rule(check, decide)
