"""撤销、确认违法、确认无效: what comes of a revocation (`RULINGS` E5, L4, I1). Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.codes import Code
from schemas.events import DecisionRevoked, EventData
from schemas.events.verdict import Verdict
from services.broker.arrival import document_key
from services.broker.linking import check_record_uid, record_of_document
from services.broker.matter import Matter, Outcome, Rule
from services.broker.records import REVOKED, revocation_of, revoked_version

if TYPE_CHECKING:
    from services.broker.situation import InboxEntry, RecordVersion

_LISTING = "listing.decided"


def check(matter: Matter, data: EventData) -> None:
    assert isinstance(data, DecisionRevoked)  # noqa: S101 - the registry pairs type and rule
    if not matter.event.sound("subject", "data.authority", "data.revoked_doc_no"):
        return
    record = _record(matter, data)
    if record is None:
        matter.hold(Code.E_NO_RECORD, "data.revoked_doc_no", _LISTING, data.revoked_doc_no)
    elif data.case_id is not None and data.case_id not in record.body["case_ids"]:
        matter.refuse(Code.E_LINK_CONFLICT, "data.case_id", data.case_id, record.case_id)
    check_record_uid(matter, data, record)


def decide(matter: Matter, data: EventData, _poorer: InboxEntry | None) -> Outcome:
    assert isinstance(data, DecisionRevoked)  # noqa: S101
    record = _record(matter, data)
    assert record is not None  # noqa: S101 - else `check` holds it
    if record.state == REVOKED:
        return Outcome(Verdict.CONTEXT)
    return Outcome(Verdict.ACCEPTED, record=revoked_version(matter, record, revocation_of(data)))


def _record(matter: Matter, data: DecisionRevoked) -> RecordVersion | None:
    return record_of_document(matter, data.authority.uscc, document_key(data.revoked_doc_no))


RULE = Rule(check, decide)
