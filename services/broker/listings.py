"""列入决定: what comes of a listing decision (`RULINGS` L1, L2, I2, I3, E5). Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.codes import Code, Finding
from schemas.events import DecisionRevoked, EventData, FactData, ListingDecided
from schemas.events.verdict import Verdict
from services.broker.arrival import decision_of, document_key
from services.broker.linking import (
    check_case,
    check_record_uid,
    record_of_document,
    records_of_case,
    standing,
    waiting_for,
)
from services.broker.listing_check import check_listing
from services.broker.matter import Matter, Outcome, Rule
from services.broker.records import DECIDED, REVOKED, listing_version, revocation_of, revoked_version

if TYPE_CHECKING:
    from schemas.events.parts import Decision
    from services.broker.situation import InboxEntry


def check(matter: Matter, data: EventData) -> None:
    assert isinstance(data, ListingDecided)  # noqa: S101 - the registry pairs type and rule
    if matter.event.sound("data.decision"):
        check_decision(matter, data, data.decision)


def decide(matter: Matter, data: EventData, poorer: InboxEntry | None) -> Outcome:
    assert isinstance(data, ListingDecided)  # noqa: S101
    return decide_decision(matter, data, data.decision, poorer)


def check_decision(matter: Matter, data: FactData, decision: Decision) -> None:
    """All guards of a listing, and that its links agree."""
    matter.listing = check_listing(matter, data, decision)
    if matter.listing is None or not matter.event.sound("data.case_id", "data.authority", "data.decision"):
        return
    check_case(matter, data, matter.listing.profile)
    known = record_of_document(matter, data.authority.uscc, document_key(decision.doc_no))
    if known is not None and data.case_id not in known.body["case_ids"]:
        matter.refuse(Code.E_LINK_CONFLICT, "data.case_id", data.case_id, known.case_id)
    check_record_uid(
        matter, data, known or waiting_for(records_of_case(matter, data.case_id), decision.decided_on)
    )


def decide_decision(matter: Matter, data: FactData, decision: Decision, poorer: InboxEntry | None) -> Outcome:
    """One version: LISTED, or DECIDED while not served, or REVOKED if its revocation was here first."""
    listing = matter.listing
    assert listing is not None  # noqa: S101 - else `check` has refused
    key = document_key(decision.doc_no)
    known = record_of_document(matter, data.authority.uscc, key)
    if known is not None and (poorer is None or known.listed_on is not None):
        # The decision has taken effect already: another report of it changes nothing.
        return Outcome(Verdict.CONTEXT)
    former = known
    if former is None:
        records = records_of_case(matter, data.case_id)
        former = waiting_for(records, decision.decided_on)
        if former is None and (other := standing(records, decision.decided_on)) is not None:
            finding = Finding(Code.E_STATE, "data.case_id", other.state, "no standing record")
            return Outcome(Verdict.CONFLICT, (finding,))
    record = listing_version(matter, data, decision, listing, former)
    settled = _poorer_reports(matter, data, key)
    if known is not None and known.state == REVOKED:
        record = revoked_version(matter, record, known.body["revocation"], owed_to_nobody=True)
    elif (tombstone := _tombstone(matter, data, key)) is not None:
        assert isinstance(tombstone.data, DecisionRevoked)  # noqa: S101
        record = revoked_version(matter, record, revocation_of(tombstone.data), owed_to_nobody=True)
        settled.append(tombstone)
    elif record.state == DECIDED and record.listed_on is not None:
        matter.reevaluate_on = record.listed_on
    return Outcome(Verdict.ACCEPTED, record=record, settled=tuple(settled))


def _poorer_reports(matter: Matter, data: FactData, doc_key: str) -> list[InboxEntry]:
    """Held reports of the same decision, which this one completes (`RULINGS` I2)."""
    return [
        entry
        for entry in matter.situation.held_of(data.enterprise.uscc)
        if isinstance(entry.data, FactData)
        and (decision := decision_of(entry.data)) is not None
        and entry.data.authority.uscc == data.authority.uscc
        and document_key(decision.doc_no) == doc_key
    ]


def _tombstone(matter: Matter, data: FactData, doc_key: str) -> InboxEntry | None:
    """A held revocation of this very document."""
    for entry in matter.situation.held_of(data.enterprise.uscc):
        revoked = entry.data
        if (
            isinstance(revoked, DecisionRevoked)
            and revoked.authority.uscc == data.authority.uscc
            and document_key(revoked.revoked_doc_no) == doc_key
        ):
            return entry
    return None


RULE = Rule(check, decide)
