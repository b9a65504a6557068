"""Lanes: the order of deliveries about one subject to one destination. Pure; no clock, no I/O.

The rules (DESIGN, "The one idea"): one delivery is in flight in a lane; a newer version supersedes every
waiting older version of its record, tried or not; a RETRACT goes before everything else that waits; a
retryable failure parks the lane, and what comes later joins it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from services.publisher.feed_row import FeedRow
    from services.publisher.shard_reader import ShardReader

RETRACT = "RETRACT"


@dataclass(slots=True, eq=False)
class Delivery:
    """One version owed to one destination.

    `attempt` counts the attempts that were made. `stored`: it has a row in parked_delivery. `charged`: it
    occupies a unit of the destination's budget of unsettled deliveries. `intended`: its next attempt is
    durably announced, so its request may leave. `ticket` tells one announcement from a later one.
    """

    row: FeedRow
    lane: Lane
    reader: ShardReader
    attempt: int = 0
    stored: bool = False
    charged: bool = False
    intended: bool = False
    ticket: int = 0
    request_sha256: bytes | None = None


class LaneState(StrEnum):
    OPEN = "OPEN"
    PARKED = "PARKED"


@dataclass(slots=True, eq=False)
class Lane:
    """`waiting` holds at most one delivery a record: the newest. `failures` in a row give the back-off."""

    name: str
    state: LaneState = LaneState.OPEN
    in_flight: Delivery | None = None
    waiting: dict[str, Delivery] = field(default_factory=dict)
    failures: int = 0
    due_at: float = 0.0
    last_error: str | None = None

    @property
    def idle(self) -> bool:
        return self.in_flight is None and not self.waiting

    def due_in(self, monotonic: float) -> float:
        """Seconds until the lane may be tried; 0 when its retry is announced already."""
        return 0.0 if self.due_at == math.inf else max(0.0, self.due_at - monotonic)

    def join(self, delivery: Delivery) -> Delivery | None:
        """Let a delivery wait. Answers the one of two versions that is superseded, if any."""
        other = self.waiting.get(delivery.row.record_uid)
        if other is not None and other.row.version >= delivery.row.version:
            return delivery
        self.waiting[delivery.row.record_uid] = delivery
        return other

    def next(self) -> Delivery | None:
        """The delivery to go now, still waiting: retractions first, then in feed order."""
        if self.in_flight is not None or not self.waiting:
            return None
        if len(self.waiting) == 1:
            return next(iter(self.waiting.values()))
        return min(self.waiting.values(), key=lambda d: (d.row.op != RETRACT, d.row.seq))

    def start(self, delivery: Delivery) -> None:
        """Put a waiting delivery in flight."""
        if self.in_flight is not None:
            raise ValueError(f"lane {self.name}: a delivery is in flight already")
        del self.waiting[delivery.row.record_uid]
        self.in_flight = delivery

    def succeed(self) -> None:
        """The delivery in flight was accepted: the lane is open again."""
        self.in_flight = None
        self.failures = 0
        self.state = LaneState.OPEN

    def fail(self, failed: Delivery, error: str) -> Delivery | None:
        """The delivery in flight failed: it waits again, and the lane is parked.

        Answers the version that is superseded when a newer one of its record waits. The caller sets `due_at`.
        """
        if self.in_flight is not failed:
            raise ValueError(f"lane {self.name}: another delivery is in flight")
        self.in_flight = None
        self.failures += 1
        self.state = LaneState.PARKED
        self.last_error = error
        return self.join(failed)
