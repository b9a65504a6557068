"""The shapes of the answers to auditors and operators, for OpenAPI."""

from __future__ import annotations

from datetime import date, datetime  # noqa: TC003  pydantic reads them at run time
from typing import Any, Literal

from pydantic import Field

from services.broker.api.models import Answer, Op


class LedgerEntryShown(Answer):
    """One ledger entry; hashes are SHA-256 in hexadecimal of the bytes on the wire."""

    entry_id: int
    kind: Literal["ATTEMPT", "SUPERSEDED", "PAGE"]
    reader: str = Field(description="Code of the destination, or key:<key_id> of a poller")
    delivery_id: str | None = Field(description="The id that stays the same over all attempts (webhook-id)")
    record_uid: str | None
    version: int | None
    sequence: int | None
    op: Op | None
    attempt: int | None
    outcome: str | None
    status: int | None
    error: str | None
    sent_at: datetime | None
    settled_at: datetime
    retry_at: datetime | None
    request_sha256: str | None
    response_sha256: str | None
    area: str | None
    from_sequence: int | None
    to_sequence: int | None
    items: int | None
    shard: int | None
    token: int | None
    publisher: str | None


class LedgerPage(Answer):
    items: list[LedgerEntryShown]
    next: str | None


class JudgedEventShown(Answer):
    source: str | None
    id: str | None


class FindingShown(Answer):
    code: str
    field: str | None
    value: Any
    expected: Any


class InboxItem(Answer):
    """One message with the verdict that stands now (`RULINGS` V4), and where it came from."""

    inbox_id: int
    event: JudgedEventShown
    event_type: str | None
    subject: str | None
    case_id: str | None
    received_at: datetime
    topic: str
    partition: int
    offset: int
    verdict: str
    codes: list[FindingShown]
    warnings: list[FindingShown]
    record_uid: str | None
    version: int | None
    reevaluate_on: date | None
    waits_for: str | None
    duplicate_of: JudgedEventShown | None
    alert: bool


class InboxPage(Answer):
    items: list[InboxItem]
    next: str | None


class ShardShown(Answer):
    """`lag`: feed rows not yet settled or parked. `intent_to`: up to it rows may have left."""

    shard: int
    owner: str | None
    token: int
    expires_at: datetime | None
    position: int
    intent_to: int
    lag: int
    parked: int


class DestinationShown(Answer):
    code: str
    name_zh: str
    name_en: str
    agency_type: str | None
    channel: str | None
    areas: list[str]
    regions: list[str]
    state: str
    state_reason: str | None
    start_after: int
    lag: int
    parked: int
    oldest_parked_at: datetime | None
    shards: list[ShardShown]


class DestinationList(Answer):
    items: list[DestinationShown]
    next: None
    feed_head: int


class Liveness(Answer):
    live: bool
    loop_lag_seconds: float
    broker: dict[str, Any] | None


class Readiness(Answer):
    ready: bool
    problems: list[str]
    broker: dict[str, Any] | None
