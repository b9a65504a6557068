"""What the publisher counts, by destination.

The hot path adds to plain integers; Prometheus objects are made when somebody asks. (The client library's
counters and histogram cost 6 µs a delivery, a tenth of all of it.)
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from services.publisher.wire.answer import Answer

# A receiver on the same network answers in milliseconds; 30 s is the wire's own limit.
SECONDS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
OUTCOMES = ("ACCEPTED", "RETRYABLE", "UNKNOWN", "REJECTED")


class DestinationMetrics:
    """The counts of one destination since the process started."""

    __slots__ = ("attempts", "buckets", "lanes", "late_results", "leases", "seconds", "unread_rows")

    def __init__(self) -> None:
        self.attempts = dict.fromkeys(OUTCOMES, 0)
        self.buckets = [0] * (len(SECONDS) + 1)
        self.seconds = 0.0
        self.late_results = 0
        self.leases = 0
        self.lanes = 0
        self.unread_rows = 0

    def answered(self, outcome: str, answer: Answer) -> None:
        self.attempts[outcome] += 1
        seconds = answer.answered_at - answer.sent_at
        self.seconds += seconds
        self.buckets[bisect_left(SECONDS, seconds)] += 1


class PublisherMetrics:
    """All destinations that this process ever pushed to; `registry` is what /metrics shows."""

    def __init__(self) -> None:
        self.settle_retries = 0
        self.destinations: dict[str, DestinationMetrics] = {}
        self.registry = CollectorRegistry()
        self.registry.register(self)

    def of_destination(self, code: str) -> DestinationMetrics:
        return self.destinations.setdefault(code, DestinationMetrics())

    def collect(self) -> Iterator[Metric]:
        attempts = CounterMetricFamily(
            "liancheng_attempts", "Requests that ended, by outcome", labels=["destination", "outcome"]
        )
        seconds = HistogramMetricFamily(
            "liancheng_attempt_seconds",
            "Seconds from the write of a request to the end of its answer",
            labels=["destination"],
        )
        late = CounterMetricFamily(
            "liancheng_late_results",
            "Answers that came after the lease was lost and were refused by the fence",
            labels=["destination"],
        )
        leases = GaugeMetricFamily("liancheng_leases", "Leases held", labels=["destination"])
        lanes = GaugeMetricFamily("liancheng_lanes", "Lanes under way or parked", labels=["destination"])
        lag = GaugeMetricFamily(
            "liancheng_feed_lag_rows",
            "Feed rows behind the newest one known, of the slowest shard held",
            labels=["destination"],
        )
        for code, counted in self.destinations.items():
            for outcome, count in counted.attempts.items():
                attempts.add_metric([code, outcome], count)
            seconds.add_metric([code], _cumulative(counted.buckets), counted.seconds)
            late.add_metric([code], counted.late_results)
            leases.add_metric([code], counted.leases)
            lanes.add_metric([code], counted.lanes)
            lag.add_metric([code], counted.unread_rows)
        yield from (attempts, seconds, late, leases, lanes, lag)
        yield CounterMetricFamily(
            "liancheng_settle_retries", "Settle transactions tried again", value=self.settle_retries
        )


def _cumulative(buckets: list[int]) -> list[tuple[str, float]]:
    total = 0.0
    shown = []
    for bound, count in zip((*map(str, SECONDS), "+Inf"), buckets, strict=True):
        total += count
        shown.append((bound, total))
    return shown
