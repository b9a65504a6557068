"""The fallback where Kafka's jars can't be had: librdkafka's in-process broker, in a process of its own.

It speaks the Kafka protocol well enough for producers and consumer groups, and lacks the rest: see `LACKS`.
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import Final

from liancheng.embedded.lifecycle import KafkaServer
from liancheng.embedded.process import ServerProcess
from liancheng.embedded.server import ProcessServer

LACKS: Final = (
    "keeps 5 MiB per partition and nothing across restarts, makes any topic with 4 partitions on first use, "
    "answers no admin requests and knows no security"
)
_START_TIMEOUT_S: Final = 20.0
_STOP_TIMEOUT_S: Final = 5.0
_METADATA_TIMEOUT_S: Final = 10.0


class MockKafka(ProcessServer, KafkaServer):
    """librdkafka's mock cluster of one broker on 127.0.0.1; each start is empty and on another port."""

    answers_admin_requests = False

    def __init__(self, data_dir: Path) -> None:
        super().__init__(data_dir, _STOP_TIMEOUT_S)
        self._address_file = self._data_dir / "bootstrap"

    @property
    def bootstrap(self) -> str:
        self._running()
        return self._address_file.read_text()

    @property
    def log_file(self) -> Path:
        return self._data_dir / "mock-kafka.log"

    def _start(self) -> ServerProcess:
        self._data_dir.mkdir(parents=True, exist_ok=True)
        self._address_file.unlink(missing_ok=True)
        command = [sys.executable, "-m", "liancheng.embedded.mock_kafka", str(self._address_file)]
        process = ServerProcess(command, log_file=self.log_file)
        process.wait_until(self._address_file.exists, _START_TIMEOUT_S)
        return process


def serve(address_file: Path) -> None:
    """Run the broker in this process until SIGTERM; its address appears in `address_file`."""
    from confluent_kafka import Producer  # noqa: PLC0415 - only the server process loads librdkafka

    broker = Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "ignored"})
    (node,) = broker.list_topics(timeout=_METADATA_TIMEOUT_S).brokers.values()
    unfinished = address_file.with_suffix(".partial")
    unfinished.write_text(f"{node.host}:{node.port}")
    unfinished.rename(address_file)
    signal.sigwait({signal.SIGTERM})


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})  # in librdkafka's threads too
    serve(Path(sys.argv[1]))
