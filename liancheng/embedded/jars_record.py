"""Writes the sums file: which jars Apache Kafka needs, and their SHA-256 sums as fetched now."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path
from typing import Final

from jgo.maven import Dependency

from liancheng.embedded.jars import KAFKA_VERSION
from liancheng.embedded.maven import maven

_LOG_BINDING_VERSION: Final = "2.25.4"


def record(sums_file: Path) -> int:
    """Resolve, fetch, hash; returns the number of jars."""
    with tempfile.TemporaryDirectory() as folder:
        repository = Path(folder)
        context = maven(repository)
        kafka = context.project("org.apache.kafka", "kafka_2.13").at_version(KAFKA_VERSION).artifact()
        inputs, transitive = context.resolver.resolve([Dependency(kafka)])
        artifacts = {dependency.artifact for dependency in (*inputs, *transitive)}
        # Alone, without its dependencies: resolved together, version mediation picks an older kafka-clients.
        binding = context.project("org.apache.logging.log4j", "log4j-slf4j-impl")
        artifacts.add(binding.at_version(_LOG_BINDING_VERSION).artifact())
        files = sorted(artifact.resolve() for artifact in artifacts)
        lines = [
            f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.relative_to(repository).as_posix()}\n"
            for file in files
        ]
    header = f"# Apache Kafka {KAFKA_VERSION}; written by: python -m liancheng.embedded.jars --record\n"
    sums_file.write_text(header + "".join(lines))
    return len(lines)
