"""What is counted is what Prometheus is shown."""

from __future__ import annotations

from prometheus_client import generate_latest

from services.publisher.metrics import PublisherMetrics
from services.publisher.wire.answer import Answer


def test_counts_are_shown_in_prometheus_form() -> None:
    metrics = PublisherMetrics()
    land = metrics.of_destination("LAND")
    land.answered("ACCEPTED", Answer(200, None, True, None, None, 100.0, 100.003))
    land.answered("ACCEPTED", Answer(200, None, True, None, None, 100.0, 140.0))
    land.answered("UNKNOWN", Answer(None, None, True, None, None, 100.0, 100.1))
    land.late_results = 3
    shown = generate_latest(metrics.registry).decode().splitlines()
    for line in (
        'liancheng_attempts_total{destination="LAND",outcome="ACCEPTED"} 2.0',
        'liancheng_attempts_total{destination="LAND",outcome="UNKNOWN"} 1.0',
        'liancheng_attempt_seconds_bucket{destination="LAND",le="0.005"} 1.0',
        'liancheng_attempt_seconds_bucket{destination="LAND",le="30.0"} 2.0',
        'liancheng_attempt_seconds_bucket{destination="LAND",le="+Inf"} 3.0',
        'liancheng_attempt_seconds_count{destination="LAND"} 3.0',
        'liancheng_late_results_total{destination="LAND"} 3.0',
        "liancheng_settle_retries_total 0.0",
    ):
        assert line in shown, line
