"""One message read and keyed: everything about it that needs no other event and no database. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING

from schemas.documents import normalise_document_number
from schemas.events import DecisionRevoked, FactData
from schemas.inbound import read_event

if TYPE_CHECKING:
    from datetime import date

    from schemas.events import EventData
    from schemas.events.parts import Decision, Obligation
    from schemas.inbound import InboundEvent
    from services.broker.source import Message

_RECENT_NUMBERS = 256
_SEPARATOR = "\x1f"  # a unit separator stands in no document number, and no two keys can run together


@dataclass(slots=True)
class Arrival:
    """`digest`: SHA-256 of the known content as stored, or of the raw value of an event that is refused.

    `act_key` says which act this is (`RULINGS` I2); `stored` is the known part of the data as JSON. Both are
    None for an event with findings: a refused one occupies no key, and keeps nothing but its dead letter.
    """

    message: Message
    event: InboundEvent
    digest: bytes
    act_key: str | None = None
    stored: bytes | None = None
    inbox_id: int = 0


def read_arrival(message: Message, max_bytes: int) -> Arrival:
    """Read one message; never raises for what stands in it."""
    event = read_event(message.headers, message.key, message.value, max_bytes=max_bytes)
    if event.findings or event.data is None:
        return Arrival(message, event, sha256(message.value or b"").digest())
    known = event.data.known()
    key = act_key(event.type, event.subject or "", event.data)
    return Arrival(message, event, sha256(known).digest(), key, known)


# One event asks for its number's key several times over.
document_key = lru_cache(_RECENT_NUMBERS)(normalise_document_number)


def decision_of(data: EventData) -> Decision | None:
    """The listing decision of an event: a listing has one, an overdue fact perhaps (`RULINGS` L1)."""
    decision: Decision | None = getattr(data, "decision", None)
    return decision


def act_key(event_type: str, subject: str, data: EventData) -> str | None:
    """Which act an event reports (`RULINGS` I2): by its document, or without one by case, reason and date.

    A revocation is the act of its own document on the revoked one: one court may void two decisions in one
    judgment, and two courts the same decision.
    """
    if isinstance(data, DecisionRevoked):
        own = data.revoking.doc_no if data.revoking is not None else None
        return _SEPARATOR.join(
            (
                data.authority.uscc,
                document_key(data.revoked_doc_no),
                document_key(own) if own else "",
                event_type,
                subject,
            )
        )
    if not isinstance(data, FactData):
        return None
    decision = decision_of(data)
    if decision is not None:
        number = document_key(decision.doc_no)
        return _SEPARATOR.join((data.authority.uscc, number, decision.doc_type, subject))
    day = _day_of_act(data.obligation)
    return _SEPARATOR.join(
        (
            data.authority.uscc,
            data.case_id,
            event_type,
            subject,
            data.failure_reason,
            ",".join(data.dimensions),
            day.isoformat() if day else "",
        )
    )


def _day_of_act(obligation: Obligation | None) -> date | None:
    return None if obligation is None else obligation.ordered_on or obligation.due_on
