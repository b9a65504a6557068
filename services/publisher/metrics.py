"""What the publisher counts, by destination."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

if TYPE_CHECKING:
    from services.publisher.wire.answer import Answer

# A receiver on the same network answers in milliseconds; 30 s is the wire's own limit.
_SECONDS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class PublisherMetrics:
    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._attempts = Counter(
            "liancheng_attempts_total",
            "Requests that ended, by outcome",
            ["destination", "outcome"],
            registry=self.registry,
        )
        self._seconds = Histogram(
            "liancheng_attempt_seconds",
            "Seconds from the write of a request to the end of its answer",
            ["destination"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._refused = Counter(
            "liancheng_late_results_total",
            "Answers that came after the lease was lost and were refused by the fence",
            ["destination"],
            registry=self.registry,
        )
        self.leases = Gauge("liancheng_leases", "Leases held", ["destination"], registry=self.registry)
        self.lanes = Gauge(
            "liancheng_lanes", "Lanes under way or parked", ["destination"], registry=self.registry
        )
        self.lag = Gauge(
            "liancheng_feed_lag_rows",
            "Feed rows behind the newest one known, of the slowest shard held",
            ["destination"],
            registry=self.registry,
        )
        self.settle_retries = Counter(
            "liancheng_settle_retries_total", "Settle transactions tried again", registry=self.registry
        )

    def of_destination(self, code: str) -> DestinationMetrics:
        return DestinationMetrics(self._attempts, self._seconds, self._refused, code)


class DestinationMetrics:
    """The same, bound to one destination: looking up labels costs more than counting."""

    def __init__(self, attempts: Counter, seconds: Histogram, refused: Counter, code: str) -> None:
        self._attempts = {
            outcome: attempts.labels(code, outcome)
            for outcome in ("ACCEPTED", "RETRYABLE", "UNKNOWN", "REJECTED")
        }
        self._seconds = seconds.labels(code)
        self.refused_late = refused.labels(code)

    def answered(self, outcome: str, answer: Answer) -> None:
        self._attempts[outcome].inc()
        self._seconds.observe(answer.answered_at - answer.sent_at)
