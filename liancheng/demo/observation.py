"""What was seen: by Kafka, by the API, and by the receivers themselves."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, NamedTuple

TERMINAL = ("ACCEPTED", "SUPERSEDED", "REJECTED")
"""Outcomes on the ledger after which a version is done with at a destination."""


class Held(NamedTuple):
    """What a receiver holds of a record: its newest version. After a RETRACT that is: nothing more."""

    version: int
    op: str


class Arrival(NamedTuple):
    """A push as its receiver saw it. `fate`: what the receiver made of it; NEW is what should be."""

    receiver: str
    record_uid: str | None
    version: int | None
    op: str | None
    fate: str
    at: float
    """Unix time, seconds."""


@dataclass(frozen=True, slots=True)
class Letter:
    """Where a refused message lies."""

    inbox_id: int
    topic: str
    partition: int
    offset: int


@dataclass(slots=True)
class Observation:
    """All of one run, when nothing was under way any more.

    `verdicts` by event id, as `VerdictData`; `records` by uid, as `GET /v1/records/{uid}` answers; `holdings`
    by receiver and uid; `letters` by event id; `backlog` by destination, of those that did not get done:
    (feed rows behind, parked deliveries).
    """

    destinations: tuple[str, ...]
    verdicts: dict[str, dict[str, Any]]
    produced: int = 0
    records: dict[str, dict[str, Any]] = field(default_factory=dict)
    arrivals: list[Arrival] = field(default_factory=list)
    holdings: dict[str, dict[str, Held]] = field(default_factory=dict)
    inbox: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    letters: dict[str, Letter] = field(default_factory=dict)
    backlog: dict[str, tuple[int, int]] = field(default_factory=dict)

    def record_uid(self, event_id: str) -> str | None:
        verdict = self.verdicts.get(event_id)
        return None if verdict is None else verdict["record_uid"]

    def version(self, event_id: str) -> dict[str, Any] | None:
        """The version that the event wrote, as the record's history has it: version, op, state, cause, …"""
        verdict = self.verdicts.get(event_id)
        record = self.records.get(verdict["record_uid"] or "") if verdict else None
        if verdict is None or record is None:
            return None
        return next((v for v in record["versions"] if v["version"] == verdict["version"]), None)

    def told(self, record_uid: str | None, version: int | None) -> dict[str, Arrival]:
        """The arrivals that brought a version to a receiver, by receiver."""
        return {
            arrival.receiver: arrival
            for arrival in self.arrivals
            if arrival.fate == "NEW" and (arrival.record_uid, arrival.version) == (record_uid, version)
        }
