"""One Kafka message read as far as the contract goes: envelope, data, codes, and whether they name one
subject.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from schemas.cloudevent import MAX_EVENT_BYTES, EventEnvelope, read_cloudevent
from schemas.codes import Code, Finding
from schemas.events.reading import read_data
from schemas.events.registry import EVENT_TYPES
from schemas.uscc import read_uscc

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from schemas.events.base import EventData


@dataclass(slots=True)
class InboundEvent:
    """A message as the broker judges it. Without findings every field is as its type says, and `time` is
    there.

    With findings the message is refused, whatever else is found; it then holds what could be read, for the
    verdict and for the rules that can still judge (ask `sound`): `id`, `source`, `type` are "" where
    unreadable.
    """

    id: str
    source: str
    type: str
    subject: str | None
    """The CloudEvents `subject`; normalised where it is a USCC."""
    time: datetime | None
    data: EventData | None
    findings: list[Finding]
    warnings: list[Finding]
    invalid: frozenset[str]
    trace_id: str | None
    traceparent: str | None

    def sound(self, *fields: str) -> bool:
        """Whether a rule that reads these fields (`time`, `data.obligation`, `data.decision.decided_on`)
        may judge: none of them is invalid, nor anything inside or around it. Absent is not invalid.
        """
        if not self.invalid:
            return True
        return not any(_touch(bad, wanted) for bad in self.invalid for wanted in fields)


def read_event(
    headers: Sequence[tuple[str, bytes | None]],
    key: bytes | None,
    value: bytes | None,
    *,
    max_bytes: int = MAX_EVENT_BYTES,
) -> InboundEvent:
    """Read one message. All problems of the contract are found together (`RULINGS` V2); never raises for
    what stands in it. Codes: those of `read_cloudevent` and `read_data`, and `E_SUBJECT_MISMATCH`.
    """
    envelope = read_cloudevent(headers, key, value, max_bytes=max_bytes)
    if isinstance(envelope, list):
        return InboundEvent("", "", "", None, None, None, envelope, [], frozenset({"message"}), None, None)
    read = read_data(envelope.type, envelope.data) if envelope.type else None
    event = InboundEvent(
        envelope.id,
        envelope.source,
        envelope.type,
        envelope.subject,
        envelope.time,
        read.data if read else None,
        read.findings if read else [],
        read.warnings if read else [],
        read.invalid if read else frozenset({"data"}),
        envelope.trace_id,
        envelope.traceparent,
    )
    if envelope.findings:
        _refuse(event, *envelope.findings)
    _check_subject(event, envelope)
    return event


def _check_subject(event: InboundEvent, envelope: EventEnvelope) -> None:
    """The CloudEvents subject, the data's code and the Kafka key name one enterprise (`RULINGS` I5)."""
    model = EVENT_TYPES.get(event.type)
    if model is None or model.subject_kind != "uscc" or not event.sound("subject"):
        return
    if envelope.subject is None:
        _refuse(event, Finding(Code.E_SCHEMA, "subject", expected="the USCC of the enterprise"))
        return
    stated = read_uscc(envelope.subject)
    event.subject = stated.code or envelope.subject
    named = _at(event.data, model.subject_field) if model.subject_field else None
    if not stated.valid:
        # One wrong code in both places is one problem, and said where the producer keeps it.
        repeated = named == stated.code
        _refuse(event, *(() if repeated else (finding.at("subject") for finding in stated.findings)))
        event.invalid |= {"subject"}
        return
    if named != stated.code:
        event.warnings += [warning.at("subject") for warning in stated.warnings]
    if model.subject_field and not event.sound(f"data.{model.subject_field}"):
        return
    if named is not None and named != stated.code:
        _refuse(event, Finding(Code.E_SUBJECT_MISMATCH, "subject", stated.code, named))
    if envelope.key is not None and read_uscc(envelope.key).code != stated.code:
        _refuse(event, Finding(Code.E_SUBJECT_MISMATCH, "key", expected=stated.code))


def _refuse(event: InboundEvent, *findings: Finding) -> None:
    event.findings += findings
    event.invalid |= {finding.field for finding in findings if finding.field}


def _at(data: EventData | None, path: str) -> str | None:
    here: object = data
    for step in path.split("."):
        here = getattr(here, step, None)
    return here if isinstance(here, str) else None


def _touch(one: str, other: str) -> bool:
    """Whether one path is the other, or stands inside it."""
    shorter, longer = sorted((one, other), key=len)
    return longer.startswith(shorter) and (len(longer) == len(shorter) or longer[len(shorter)] in ".[")
