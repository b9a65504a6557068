"""The outgoing event: what became of one incoming event (`RULINGS` V1, V4)."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar

import orjson
from pydantic import BaseModel, ConfigDict, Field

from schemas.codes import Code, Scalar
from schemas.events.base import TYPE_PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterable

    from schemas.codes import Finding


class Verdict(StrEnum):
    """Every message ends with exactly one; the counts add up to what was produced."""

    ACCEPTED = "ACCEPTED"
    DUPLICATE = "DUPLICATE"
    HELD = "HELD"
    CONFLICT = "CONFLICT"
    CANDIDATE_DUPLICATE = "CANDIDATE_DUPLICATE"
    CONTEXT = "CONTEXT"
    REFUSED = "REFUSED"


class JudgedEvent(BaseModel):
    """The event judged; null where the message did not carry it readably."""

    model_config = ConfigDict(extra="forbid")

    source: str | None
    id: str | None


class VerdictFinding(BaseModel):
    """One code, with the field's path, what stood there and what was expected."""

    model_config = ConfigDict(extra="forbid")

    code: Code
    field: str | None
    value: Scalar
    expected: Scalar


class VerdictData(BaseModel):
    """Data of `cn.capacity-exit.verdict`. A HELD event gets a second verdict when its cause goes."""

    model_config = ConfigDict(extra="forbid")

    event_type: ClassVar[str] = TYPE_PREFIX + "verdict"

    event: JudgedEvent
    verdict: Verdict
    codes: list[VerdictFinding] = Field(description="All problems found: codes E_…")
    warnings: list[VerdictFinding] = Field(description="Codes W_…")
    record_uid: str | None = None
    version: int | None = None
    reevaluate_on: date | None = Field(
        None, description="HELD: the day on which it is judged again, by itself"
    )
    waits_for: str | None = Field(None, description="HELD: an event type without prefix, or 'person'")
    duplicate_of: JudgedEvent | None = Field(None, description="DUPLICATE: the earlier event")
    alert: bool = False


def verdict_bytes(
    source: str | None,
    id: str | None,  # noqa: A002 - CloudEvents' own name
    verdict: Verdict,
    *,
    codes: Iterable[Finding] = (),
    warnings: Iterable[Finding] = (),
    record_uid: str | None = None,
    version: int | None = None,
    reevaluate_on: date | None = None,
    waits_for: str | None = None,
    duplicate_of: tuple[str, str] | None = None,
    alert: bool = False,
) -> bytes:
    """The JSON of a `VerdictData`, built without validating again. `source` and `id` of the event judged,
    None or empty where unreadable; `duplicate_of`: source and id of the earlier event.
    """
    return orjson.dumps(
        {
            "event": {"source": source or None, "id": id or None},
            "verdict": verdict.value,
            "codes": [finding.as_dict() for finding in codes],
            "warnings": [finding.as_dict() for finding in warnings],
            "record_uid": record_uid,
            "version": version,
            "reevaluate_on": reevaluate_on,
            "waits_for": waits_for,
            "duplicate_of": duplicate_of and {"source": duplicate_of[0], "id": duplicate_of[1]},
            "alert": alert,
        }
    )
