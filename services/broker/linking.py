"""Which record an event belongs to (`RULINGS` I1, I3). Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.codes import Code
from services.broker.records import ENDED, WAITING, as_date, decided_on

if TYPE_CHECKING:
    from datetime import date

    from schemas.catalogue.policy import Profile
    from schemas.events import EventData, FactData
    from services.broker.matter import Matter
    from services.broker.situation import RecordVersion


def records_of_case(matter: Matter, case_id: str) -> list[RecordVersion]:
    """The subject's records of this case, newest last."""
    records = matter.situation.records_of(matter.event.subject or "")
    return [record for record in records if case_id in record.body["case_ids"]]


def record_of_document(matter: Matter, authority: str, doc_key: str) -> RecordVersion | None:
    """The subject's record that this document made."""
    for record in matter.situation.records_of(matter.event.subject or ""):
        if record.authority_uscc == authority and record.doc_key == doc_key:
            return record
    return None


def check_case(matter: Matter, data: FactData, profile: Profile) -> None:
    """A case is one enterprise's within a city: the same number on another's record is a mistake."""
    for subject, regions in matter.situation.case_subjects.get(data.case_id, ()):
        if subject != matter.event.subject and profile.region in regions:
            matter.refuse(Code.E_LINK_CONFLICT, "data.case_id", data.case_id)
            return


def check_record_uid(matter: Matter, data: EventData, record: RecordVersion | None) -> None:
    """Links that disagree refuse; a record that is not there is waited for."""
    if data.record_uid is None or (record is not None and record.record_uid == data.record_uid):
        return
    known = matter.situation.records.get(matter.event.subject or "", {})
    if record is not None or data.record_uid in known:
        matter.refuse(Code.E_LINK_CONFLICT, "data.record_uid", data.record_uid)
    else:
        matter.hold(Code.E_NO_RECORD, "data.record_uid", "person", data.record_uid)


def record_for_fact(records: list[RecordVersion], happened_on: date) -> RecordVersion | None:
    """The record of the case whose decision came after the fact, else one that has no decision yet."""
    for record in records:
        decided = decided_on(record)
        if decided is not None and decided > happened_on:
            return record
    return next(
        (record for record in reversed(records) if record.state in WAITING and decided_on(record) is None),
        None,
    )


def waiting_for(records: list[RecordVersion], decided: date) -> RecordVersion | None:
    """The newest record of the case that waits for a listing of this day: its fact came before the
    decision.
    """
    for record in reversed(records):
        due = as_date(record.body["effective_due"])
        if record.state in WAITING and record.doc_key is None and (due is None or due < decided):
            return record
    return None


def standing(records: list[RecordVersion], decided: date) -> RecordVersion | None:
    """A record of the case that another listing of this day cannot stand beside (`RULINGS` I3): one that
    has not ended, or ended by an act dated after that listing was decided.
    """
    for record in reversed(records):
        if record.doc_key is None:
            continue
        if record.state not in ENDED:
            return record
        revocation = record.body["revocation"]
        ended_on = as_date(revocation["decided_on"]) if revocation is not None else None
        if ended_on is not None and ended_on > decided:
            return record
    return None
