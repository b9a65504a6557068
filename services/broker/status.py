"""What the broker knows of itself: written by its loops, read by /livez, /readyz and the watchdog. No I/O."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(slots=True)
class PartitionStatus:
    """One assigned partition of the events topic. Offsets are those of the next event."""

    partition: int
    epoch: int
    registered: int
    topic_id: str | None = None
    log_end: int | None = None
    error: str | None = None
    """Why it is not read: a `services.broker.claims.Loss`, or FENCED (soon claimed again)."""
    moved_at: float = 0.0
    """Monotonic time at which `registered` last moved, or the lag last was zero."""
    checked_at: float = 0.0
    """Monotonic time at which Kafka last told `log_end`."""

    @property
    def lag(self) -> int | None:
        return None if self.log_end is None else max(0, self.log_end - self.registered)


@dataclass(slots=True)
class BrokerStatus:
    """Times are seconds on `clock` (monotonic); ages are computed when asked for."""

    clock: Callable[[], float] = time.monotonic
    started: bool = False
    """Migrations found, Kafka and PostgreSQL reached once, first assignment seen."""
    stopping: bool = False
    loop_beat: float = 0.0
    """The event loop ran."""
    intake_beat: float = 0.0
    """Intake polled, or tried again to register a batch: it is alive, whatever it waits for."""
    polled_at: float = 0.0
    registered_at: float = 0.0
    rebalancing_since: float | None = None
    assignment: dict[int, PartitionStatus] = field(default_factory=dict)
    database_down_since: float | None = None
    relay_position: int | None = None
    """Number of the last verdict that Kafka has acknowledged; None until this process first looked."""
    relay_lag: int | None = None
    relay_owner: bool = False
    relay_error: str | None = None
    partitions_ahead: dict[str, int] = field(default_factory=dict)
    """Empty partitions ahead of each append-only table; 0 means that the next one does not exist."""
    upkeep_error: str | None = None

    def __post_init__(self) -> None:
        now = self.clock()
        self.loop_beat = self.intake_beat = self.polled_at = now

    def age(self, moment: float) -> float:
        return max(0.0, self.clock() - moment)

    def partition_errors(self) -> dict[int, str]:
        return {p.partition: p.error for p in self.assignment.values() if p.error is not None}

    def stalled(self, seconds: float) -> str | None:
        """What has not moved for `seconds` although it should, or None. A database that is down is no
        stall.
        """
        if self.age(self.loop_beat) > seconds:
            return "event_loop"
        if self.stopping:
            return None
        if self.rebalancing_since is not None and self.age(self.rebalancing_since) > seconds:
            return "rebalance"
        if not self.started:
            return None
        if self.age(self.intake_beat) > seconds:
            return "intake"
        if self.database_down_since is None:
            for partition in self.assignment.values():
                # By the last look at Kafka's log, so that a Kafka that is down is no stall of ours.
                stood = partition.checked_at - partition.moved_at
                if partition.error is None and partition.lag and stood > seconds:
                    return f"partition_{partition.partition}"
        return None

    def live(self, stall_seconds: float) -> tuple[bool, dict[str, Any]]:
        """For /livez: whether this process still makes progress. Never tied to a dependency being up."""
        stalled = self.stalled(stall_seconds)
        return stalled is None, {
            "stalled": stalled,
            "loop_age_seconds": round(self.age(self.loop_beat), 3),
            "intake_age_seconds": round(self.age(self.intake_beat), 3),
        }

    def ready(self) -> tuple[bool, dict[str, Any]]:
        """For /readyz: whether events are being turned into records; with all that an operator needs to
        know.
        """
        problems = [f"partition {p}: {error}" for p, error in sorted(self.partition_errors().items())]
        if not self.started:
            problems.append("not started")
        if self.stopping:
            problems.append("stopping")
        if self.database_down_since is not None:
            problems.append("database down")
        problems += [f"no partition of {table} left" for table, n in self.partitions_ahead.items() if n == 0]
        if self.relay_error is not None:
            problems.append(f"verdict relay: {self.relay_error}")
        if self.upkeep_error is not None:
            problems.append(f"upkeep: {self.upkeep_error}")
        return not problems, {
            "problems": problems,
            "poll_age_seconds": round(self.age(self.polled_at), 3),
            "assignment": {
                str(p.partition): {
                    "epoch": p.epoch,
                    "next_offset": p.registered,
                    "lag": p.lag,
                    "error": p.error,
                }
                for p in sorted(self.assignment.values(), key=lambda p: p.partition)
            },
            "relay": {"position": self.relay_position, "lag": self.relay_lag, "here": self.relay_owner},
            "partitions_ahead": dict(self.partitions_ahead),
        }
