"""What is known about the subjects of a batch: their records and the events that matter to them. No I/O.

Filled from the database before a batch is judged, and moved on by each event that is judged, so that later
events of the batch see what earlier ones did.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from schemas.events.verdict import Verdict

if TYPE_CHECKING:
    from datetime import date, datetime

    from schemas.codes import Finding
    from schemas.events import EventData
    from schemas.record import Body

EventKey = tuple[str, str]
"""CloudEvents source and id."""


@dataclass(slots=True)
class InboxEntry:
    """One event as the inbox knows it: its keys, its content, and the verdict that stands now."""

    inbox_id: int
    source: str | None
    event_id: str | None
    type: str | None
    subject: str | None
    time: datetime | None
    case_id: str | None
    trace_id: str | None
    digest: bytes
    act_key: str | None
    holds_key: bool
    data: EventData | None
    stored_data: bytes | None
    verdict: Verdict
    codes: list[Finding] = field(default_factory=list)
    warnings: list[Finding] = field(default_factory=list)
    record_uid: str | None = None
    version: int | None = None
    reevaluate_on: date | None = None
    waits_for: str | None = None
    duplicate_of: InboxEntry | None = None
    alert: bool = False
    in_database: bool = False

    @property
    def event_key(self) -> EventKey:
        return self.source or "", self.event_id or ""


@dataclass(slots=True)
class RecordVersion:
    """One version of a record, with what the feed says beside its body. Immutable once made."""

    record_uid: str
    version: int
    op: str
    state: str
    cause: str | None
    supersedes: int | None
    subject: str
    lane: str
    case_id: str
    authority_uscc: str
    doc_key: str | None
    regions: tuple[str, ...]
    areas: tuple[str, ...]
    channels: tuple[str, ...]
    listed_on: date | None
    publicity_until: date | None
    body: Body
    inbox_id: int
    trace_id: str | None
    in_database: bool = False
    """This very version stands in the database, not only an earlier one."""


@dataclass(slots=True)
class Situation:
    """`records`: the newest version of each record, by subject. `case_subjects`: whose records a case id
    has, with their regions, also of subjects that are not locked.
    """

    records: dict[str, dict[str, RecordVersion]] = field(default_factory=dict)
    events: dict[EventKey, InboxEntry] = field(default_factory=dict)
    acts: dict[str, InboxEntry] = field(default_factory=dict)
    held: dict[str, dict[int, InboxEntry]] = field(default_factory=dict)
    case_subjects: dict[str, list[tuple[str, tuple[str, ...]]]] = field(default_factory=dict)
    changed: dict[int, InboxEntry] = field(default_factory=dict)
    """Entries that stand in the database with another verdict or key than here."""

    def records_of(self, subject: str) -> list[RecordVersion]:
        """Newest record last: uids sort by the time they were made."""
        found = self.records.get(subject)
        return [found[uid] for uid in sorted(found)] if found else []

    def held_of(self, subject: str) -> list[InboxEntry]:
        return list(self.held.get(subject, {}).values())

    def admit(self, entry: InboxEntry) -> None:
        """Take an event in with the verdict it has. Refused, duplicate and conflicting events occupy no
        key.
        """
        if entry.holds_key:
            self.events[entry.event_key] = entry
            if entry.act_key is not None:
                self.acts[entry.act_key] = entry
        if entry.verdict is Verdict.HELD and entry.subject is not None:
            self.held.setdefault(entry.subject, {})[entry.inbox_id] = entry

    def settle(self, entry: InboxEntry, record: RecordVersion) -> None:
        """A held event's cause is gone: it is accepted as what made `record`."""
        entry.verdict = Verdict.ACCEPTED
        entry.codes = []
        entry.waits_for = entry.reevaluate_on = None
        entry.record_uid, entry.version = record.record_uid, record.version
        self._note(entry)
        if entry.subject is not None:
            self.held.get(entry.subject, {}).pop(entry.inbox_id, None)

    def release_act(self, entry: InboxEntry) -> None:
        """Another event reports the same act more fully, and holds its key from now on."""
        if entry.act_key is not None and self.acts.get(entry.act_key) is entry:
            del self.acts[entry.act_key]
        entry.act_key = None
        self._note(entry)

    def _note(self, entry: InboxEntry) -> None:
        if entry.in_database:
            self.changed[entry.inbox_id] = entry

    def write(self, version: RecordVersion) -> None:
        self.records.setdefault(version.subject, {})[version.record_uid] = version
        self.case_subjects.setdefault(version.case_id, []).append((version.subject, version.regions))


def verdict_data(entry: InboxEntry) -> dict[str, Any]:
    """Data of the verdict event, in the shape of `schemas.events.verdict.VerdictData`."""
    original = entry.duplicate_of
    return {
        "event": {"source": entry.source, "id": entry.event_id},
        "verdict": entry.verdict,
        "codes": [finding.as_dict() for finding in entry.codes],
        "warnings": [finding.as_dict() for finding in entry.warnings],
        "record_uid": entry.record_uid,
        "version": entry.version,
        "reevaluate_on": entry.reevaluate_on,
        "waits_for": entry.waits_for,
        "duplicate_of": None if original is None else {"source": original.source, "id": original.event_id},
        "alert": entry.alert,
    }
