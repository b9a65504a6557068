"""The shapes of the answers to agencies, for OpenAPI. Handlers write bytes; tests read them through these."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from schemas.record import AuthorityShown, FlagShown, RecordBody

Op = Literal["UPSERT", "FLAG", "RETRACT"]


class Answer(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ProblemPart(BaseModel):
    """One thing wrong with the request."""

    model_config = ConfigDict(extra="allow")

    field: str | None
    code: str
    detail: str | None = None
    expected: Any = None
    value: Any = None


class Problem(Answer):
    """RFC 9457. `code` is for machines and never renamed, `detail` is for people."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: list[ProblemPart] = []
    trace_id: str | None = Field(None, description="Under which the request stands in the log")


class BasisReferenceShown(Answer):
    id: str
    article: str | None


class FullMeasure(Answer):
    """A measure with what the catalogue says of it; null where the catalogue no longer has it."""

    area: str
    code: str
    family: Literal["AREA", "PRICE", "CREDIT"] | None
    agency_type: str | None
    category: Literal["A", "B", "C"] | None
    force: Literal["MANDATORY", "ADVISORY"] | None
    basis: list[BasisReferenceShown]
    start: date
    end: date | None
    item: Any = None


class CheckDecision(Answer):
    doc_no: str | None
    authority: AuthorityShown


class CheckAnswer(Answer):
    """`GET /v1/check`."""

    uscc: str
    area: str
    listed: bool
    since: date | None
    until: date | None
    decision: CheckDecision | None
    measures: list[FullMeasure]
    flags: list[FlagShown]
    matched_on: Literal["uscc"] | None
    as_of: date = Field(description="The legal day that is judged, in Asia/Shanghai")
    known_at: datetime = Field(description="What was known at this instant is what counted")
    data_version: int = Field(description="The newest feed sequence at that instant")


class FeedItem(Answer):
    """One feed row. `record` is null if a newer version overtook this one (`superseded_by`), and in the
    RETRACT of a record that had ended before this reader began: then drop whatever is held under
    `record_uid`.
    """

    sequence: int
    record_uid: str
    version: int
    op: Op
    cause: str | None
    superseded_by: int | None
    record: RecordBody | None


class FeedPage(Answer):
    items: list[FeedItem]
    next: str
    from_sequence: int
    to_sequence: int


class RecordShown(RecordBody):
    """A record in its newest version."""

    record_uid: str
    version: int
    sequence: int
    measures: list[FullMeasure]  # type: ignore[assignment]


class VersionShown(Answer):
    """One version in the record's history."""

    version: int
    sequence: int
    op: Op
    state: str
    cause: str | None
    supersedes: int | None
    registered_at: datetime


class WaitingShown(Answer):
    """What has yet to reach a destination. QUEUED: its turn comes. PARKED: a retry is due at `due_at`."""

    state: Literal["QUEUED", "PARKED"]
    version: int
    attempt: int
    due_at: datetime | None
    last_error: str | None


class OutcomeShown(Answer):
    version: int
    op: Op
    outcome: str | None
    status: int | None
    error: str | None
    at: datetime


class HoldingShown(Answer):
    """What one destination holds of a record, by the ledger."""

    destination: str
    name_zh: str
    name_en: str
    channel: str | None
    destination_state: str
    state: Literal["HELD", "RETRACTED", "PARKED", "QUEUED", "MAY_HOLD", "REJECTED", "SUPERSEDED"]
    holds: int | None = Field(description="The version that it is known to hold")
    retracted: int | None = Field(
        description="The version by whose acknowledged RETRACT it dropped the record"
    )
    may_hold: list[int] = Field(
        description="Later versions that may have arrived: attempts of unknown outcome"
    )
    waiting: WaitingShown | None
    last: OutcomeShown | None


class RecordAnswer(RecordShown):
    """`public` and `destinations` are null for keys that do not see the ledger."""

    public: bool | None = Field(description="Whether a public site is known to hold it, and it is in force")
    versions: list[VersionShown]
    destinations: list[HoldingShown] | None


class RecordList(Answer):
    items: list[RecordShown]
    next: str | None


class SubjectAnswer(RecordList):
    uscc: str
