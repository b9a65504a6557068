"""A service of ours as a process: its address, its log, its signals, its end."""

from __future__ import annotations

import http.client
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Final, Self

from liancheng.embedded.lifecycle import ServerStartError
from liancheng.embedded.ports import LOOPBACK, HeldPort
from liancheng.embedded.process import ServerProcess
from liancheng.local.client import Client

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

READY_TIMEOUT_S: Final = 60.0
"""A loaded machine imports a service for some seconds, and it waits for its database and Kafka itself."""
STOP_TIMEOUT_S: Final = 15.0
"""Longer than a service drains when its receivers answer; then it is killed."""
_POLL_S: Final = 0.05
_PROBE_TIMEOUT_S: Final = 1.0
_READY: Final = 200


class ServiceProcess:
    """`liancheng COMMAND` with an environment of its own, on a port that stays the same over restarts.

    It dies with the process that started it, however that ends. All methods block.
    """

    def __init__(
        self, name: str, command: str, log_path: Path, environment: Callable[[int], Mapping[str, str]]
    ) -> None:
        """Not started yet. `environment` is given the port, and asked again at every start."""
        self.name = name
        self.log_path = log_path
        self._command = command
        self._environment = environment
        self._port = HeldPort()
        self._process: ServerProcess | None = None
        self.client = Client(self.url)
        self._prober = Client(self.url, timeout_s=_PROBE_TIMEOUT_S)

    @property
    def port(self) -> int:
        return self._port.number

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def pid(self) -> int:
        """Of the last start. RuntimeError before the first."""
        return self._started().pid

    def start(self) -> Self:
        """Launch it; does not wait. Nothing if it runs."""
        if not self.is_running():
            self.log_path.parent.mkdir(parents=True, exist_ok=True)
            self._process = ServerProcess(
                [sys.executable, "-m", "liancheng.command", self._command],
                log_file=self.log_path,
                environment=self._environment(self.port),
            )
        return self

    def ready(self, timeout_s: float = READY_TIMEOUT_S) -> Self:
        """Wait until /readyz answers 200.

        ServerStartError, with the last answer and the end of the log, if it ends first or takes longer.
        """
        deadline = time.monotonic() + timeout_s
        process = self._started()
        while True:
            answer = self._readiness()
            if not process.is_running():
                raise ServerStartError(
                    f"{self.name} ended with status {process.wait(0)}:\n{process.log_tail()}"
                )
            if answer is None:
                return self
            if time.monotonic() > deadline:
                raise ServerStartError(
                    f"{self.name} is not ready after {timeout_s:g} s: {answer}\n{process.log_tail()}"
                )
            time.sleep(_POLL_S)

    def _readiness(self) -> str | None:
        """None if it is ready, else why not."""
        try:
            reply = self._prober.request("GET", "/readyz")
        except (OSError, http.client.HTTPException) as error:
            return f"{type(error).__name__}: {error}"
        return None if reply.status == _READY else f"{reply.status}: {reply.body}"

    def is_running(self) -> bool:
        """A paused one runs."""
        return self._process is not None and self._process.is_running()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal; nothing if it has ended."""
        self._started().send(number)

    def pause(self) -> None:
        """SIGSTOP: connections stay open and nothing answers."""
        self.signal(signal.SIGSTOP)

    def resume(self) -> None:
        self.signal(signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL; returns when it is gone."""
        self._started().kill()

    def wait(self, timeout_s: float) -> int:
        """The exit status, negative for a signal. `subprocess.TimeoutExpired` if it runs on."""
        return self._started().wait(timeout_s)

    def ask_to_stop(self) -> None:
        """SIGTERM, without waiting; a paused process is woken for it. Nothing if it does not run."""
        if self.is_running():
            self.resume()
            self.signal(signal.SIGTERM)

    def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> int | None:
        """SIGTERM, then SIGKILL after `timeout_s`. The exit status; None if it never started."""
        if self._process is None:
            return None
        self.ask_to_stop()
        try:
            return self.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
            return self.wait(0)

    def restart(self, timeout_s: float = STOP_TIMEOUT_S) -> Self:
        """Stop it if it runs, and start it with the same settings on the same port; does not wait."""
        self.stop(timeout_s)
        return self.start()

    def _started(self) -> ServerProcess:
        if self._process is None:
            raise RuntimeError(f"{self.name} was not started")
        return self._process
