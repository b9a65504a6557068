"""What a receiver makes of a push: pure rules, no I/O."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from services.simulator.faults import FaultKind, FaultRule
from services.simulator.message import RESET, Answer, Ending, json_answer, problem

INT64_MAX: Final = 2**63 - 1
RETRY_LATER: Final = 429
REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})


class Verdict(StrEnum):
    """What became of a request that arrived in full; each has exactly one."""

    NEW = "NEW"
    """Held now: the first, or a newer, version of its record."""
    DUPLICATE = "DUPLICATE"
    """The version that is held already; nothing changed."""
    STALE = "STALE"
    """Older than the version that is held; refused."""
    BAD_SIGNATURE = "BAD_SIGNATURE"
    """No valid signature, or a timestamp out of tolerance."""
    MALFORMED = "MALFORMED"
    """Signed well, but not a push."""
    FAULT = "FAULT"
    """A fault struck before the receiver did anything with it."""


class Push(BaseModel):
    """The body of a push. `cause` is that of a RETRACT or FLAG; unknown members are let be."""

    model_config = ConfigDict(strict=True, frozen=True)

    record_uid: Annotated[str, Field(min_length=26, max_length=26)]
    version: Annotated[int, Field(ge=1, le=INT64_MAX)]
    sequence: Annotated[int, Field(ge=0, le=INT64_MAX)]
    op: Literal["UPSERT", "FLAG", "RETRACT"]
    cause: str | None
    destination: str
    record: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Why a body is no push: the places and the kinds of error, never the content."""

    reason: str


def read_push(body: bytes) -> Push | Unreadable:
    try:
        return Push.model_validate_json(body)
    except ValidationError as error:
        listed = error.errors(include_input=False, include_url=False, include_context=False)
        return Unreadable("; ".join(f"{'.'.join(map(str, e['loc'])) or 'body'}: {e['type']}" for e in listed))


def compare(held: int | None, version: int) -> Verdict:
    """The verdict on `version` of a record of which `held` is the newest version held, if any."""
    if held is None or version > held:
        return Verdict.NEW
    return Verdict.DUPLICATE if version == held else Verdict.STALE


_STATUS: Final = {
    Verdict.NEW: 200,
    Verdict.DUPLICATE: 200,
    Verdict.STALE: 409,
    Verdict.BAD_SIGNATURE: 401,
    Verdict.MALFORMED: 400,
}
_ACCEPTED: Final = json_answer({"status": "accepted"})
_DUPLICATE: Final = json_answer({"status": "duplicate"})


def answered_status(verdict: Verdict, fault: FaultRule | None) -> int | None:
    """The status that the request is answered with; None where it gets no answer."""
    if fault is None or fault.kind is FaultKind.LATENCY:
        return _STATUS[verdict]
    match fault.kind:
        case FaultKind.TIMEOUT | FaultKind.RESET | FaultKind.DOWN:
            return None
        case FaultKind.RETRY_AFTER:
            return fault.status or RETRY_LATER
        case _:
            return fault.status or 200


def answer(verdict: Verdict, fault: FaultRule | None, detail: str = "") -> Answer | None:
    """The answer to a push, `detail` being why it was not taken; None: never answer."""
    if fault is None or fault.kind is FaultKind.LATENCY:
        return _plain(verdict, detail)
    status = answered_status(verdict, fault)
    if status is None:
        return RESET if fault.kind is FaultKind.RESET else None
    match fault.kind:
        case FaultKind.TRUNCATED:
            return json_answer({"status": "accepted"}, status, ending=Ending.TRUNCATE)
        case FaultKind.ANSWER_THEN_DIE:
            return json_answer({"status": "accepted"}, status, ending=Ending.CLOSE)
    headers: tuple[tuple[bytes, bytes], ...] = ()
    if fault.retry_after is not None:
        headers = ((b"retry-after", str(fault.retry_after).encode()),)
    elif status in REDIRECTS:
        headers = ((b"location", b"?followed"),)  # to itself: a sender that follows is seen here again
    return problem(status, f"fault on demand: {fault.kind}", headers=headers)


def _plain(verdict: Verdict, detail: str) -> Answer:
    match verdict:
        case Verdict.NEW:
            return _ACCEPTED
        case Verdict.DUPLICATE:
            return _DUPLICATE
        case Verdict.STALE:
            detail = "a newer version of this record is held"
    return problem(_STATUS[verdict], detail, verdict=verdict)


def summary(push: Push) -> dict[str, Any]:
    """The line of a record as people look for it: `{op, state, cause, subject, name}`."""
    record = push.record
    subject = record.get("subject")
    names = record.get("names")
    name = record.get("name")
    if isinstance(subject, dict):
        name = name or subject.get("name")
        subject = subject.get("uscc")
    if name is None and isinstance(names, list) and names and isinstance(names[-1], dict):
        name = names[-1].get("name")
    cause = push.cause if push.cause is not None else record.get("cause")
    return {"op": push.op, "state": record.get("state"), "cause": cause, "subject": subject, "name": name}
