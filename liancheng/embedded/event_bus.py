"""Apache Kafka if its jars can be had, else the in-process broker, saying so."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from liancheng.embedded.jars import JarsUnavailableError, kafka_jars
from liancheng.embedded.kafka import EmbeddedKafka
from liancheng.embedded.mock_kafka import LACKS, MockKafka

if TYPE_CHECKING:
    from pathlib import Path


def embedded_event_bus(data_dir: Path, port: int = 0) -> EmbeddedKafka | MockKafka:
    """Not started yet. For the demo only: tests insist on Apache Kafka.

    Raises JarMismatchError if jars are there but not the recorded ones: that is no reason to fall back.
    """
    try:
        kafka_jars()
    except JarsUnavailableError as reason:
        notice = f"Kafka FALLBACK: librdkafka's in-process broker; it {LACKS} ({reason})"
        print(notice, file=sys.stderr, flush=True)
        return MockKafka(data_dir)
    return EmbeddedKafka(data_dir, port)
