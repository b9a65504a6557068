"""The broker's Prometheus metrics. No label holds a subject, a document or any other personal thing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prometheus_client import Metric

_OWN = CollectorRegistry()
ProcessCollector(registry=_OWN)


class _Own:
    def collect(self) -> Iterable[Metric]:
        return _OWN.collect()


def new_registry() -> CollectorRegistry:
    """A registry that shows the metrics of this process, and takes those of one API application."""
    registry = CollectorRegistry()
    registry.register(_Own())
    return registry


EVENTS = Counter("liancheng_events_total", "Events registered, by verdict", ["verdict"], registry=_OWN)
CODES = Counter("liancheng_codes_total", "Codes and warnings found in events", ["code"], registry=_OWN)
VERSIONS = Counter(
    "liancheng_record_versions_total", "Record versions written, by state", ["state"], registry=_OWN
)
BATCH_EVENTS = Histogram(
    "liancheng_batch_events",
    "Events of one register transaction",
    buckets=(1, 3, 10, 30, 100, 300, 1000, 3000),
    registry=_OWN,
)
BATCH_SECONDS = Histogram(
    "liancheng_batch_seconds",
    "From the first look at a batch to its commit",
    buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 5, 30),
    registry=_OWN,
)
BATCH_RETRIES = Counter(
    "liancheng_batch_retries_total", "Register transactions tried again, by cause", ["cause"], registry=_OWN
)
BATCH_FENCED = Counter(
    "liancheng_batches_fenced_total", "Batches refused because the partition had moved on", registry=_OWN
)
NORMALISED = Counter(
    "liancheng_usccs_normalised_total", "Codes accepted only after normalising", registry=_OWN
)
PARTITION_LAG = Gauge(
    "liancheng_partition_lag_events", "Events in Kafka not yet registered", ["partition"], registry=_OWN
)
PARTITION_ERROR = Gauge(
    "liancheng_partition_error",
    "1 while an assigned partition is not read; /readyz says why",
    ["partition"],
    registry=_OWN,
)
POLL_AGE = Gauge("liancheng_poll_age_seconds", "Seconds since the last poll", registry=_OWN)
LOOP_LAG = Histogram(
    "liancheng_loop_lag_seconds",
    "How late the event loop came back",
    buckets=(0.001, 0.005, 0.02, 0.1, 0.5, 2, 10),
    registry=_OWN,
)
RELAYED = Counter("liancheng_verdicts_relayed_total", "Verdicts acknowledged by Kafka", registry=_OWN)
RELAY_LAG = Gauge(
    "liancheng_verdict_relay_lag", "Verdicts written and not yet acknowledged by Kafka", registry=_OWN
)
DEAD_LETTERS_PURGED = Counter(
    "liancheng_dead_letters_purged_total", "Dead letters past their retention", registry=_OWN
)
PARTITIONS_AHEAD = Gauge(
    "liancheng_partitions_ahead", "Empty partitions ahead of the head", ["table"], registry=_OWN
)
