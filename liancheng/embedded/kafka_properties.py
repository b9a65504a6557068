"""`server.properties` of a single node that is controller and broker at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from liancheng.embedded.ports import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MESSAGE_MAX_BYTES: Final = 8 * 1024 * 1024


def server_properties(log_dir: Path, port: int, controller_port: int, extra: Mapping[str, str]) -> str:
    """The file's text. `extra` wins over ours."""
    properties = {
        "process.roles": "broker,controller",
        "node.id": "1",
        # Static, so that the storage can be used again on another port.
        "controller.quorum.voters": f"1@{LOOPBACK}:{controller_port}",
        "controller.listener.names": "CONTROLLER",
        "listeners": f"PLAINTEXT://{LOOPBACK}:{port},CONTROLLER://{LOOPBACK}:{controller_port}",
        "log.dirs": str(log_dir),
        # One node holds one replica of everything.
        "default.replication.factor": "1",
        "min.insync.replicas": "1",
        "offsets.topic.replication.factor": "1",
        "offsets.topic.num.partitions": "1",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "transaction.state.log.num.partitions": "1",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        "share.coordinator.state.topic.num.partitions": "1",
        # A restart after SIGKILL waits until the killed node's session is over: 3 s so, 12 s by default.
        "broker.session.timeout.ms": "2000",
        "broker.heartbeat.interval.ms": "300",
        # Nobody else is about to join.
        "group.initial.rebalance.delay.ms": "0",
        # A misspelt topic is an error, not a new topic.
        "auto.create.topics.enable": "false",
        # An event that is far too large must still reach the broker, which refuses it with a verdict.
        "message.max.bytes": str(MESSAGE_MAX_BYTES),
        # The default would take 128 MB of memory to compact one small offsets topic.
        "log.cleaner.dedupe.buffer.size": str(4 * 1024 * 1024),
        **extra,
    }
    return "".join(f"{name}={value}\n" for name, value in properties.items())


LOG4J_CONFIGURATION: Final = """\
status = error
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{yyyy-MM-dd HH:mm:ss,SSS} %p %c{1}: %m%n
rootLogger.level = warn
rootLogger.appenderRef.console.ref = console
"""
