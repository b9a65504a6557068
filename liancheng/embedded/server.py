"""The common half of all embedded servers: each is one child process."""

from __future__ import annotations

import signal
from abc import abstractmethod
from typing import TYPE_CHECKING

from liancheng.embedded.lifecycle import EmbeddedServer

if TYPE_CHECKING:
    from pathlib import Path

    from liancheng.embedded.process import ServerProcess


class ProcessServer(EmbeddedServer):
    """Keeps the process of a started server, and passes signals on."""

    def __init__(self, data_dir: Path, stop_timeout_s: float) -> None:
        """After `stop_timeout_s` a stop becomes a kill."""
        self._data_dir = data_dir.absolute()
        self._stop_timeout_s = stop_timeout_s
        self._process: ServerProcess | None = None

    def start(self) -> None:
        """Returns once the server answers; raises ServerStartError with the end of its log."""
        if not self.is_running():
            self._process = self._start()

    @abstractmethod
    def _start(self) -> ServerProcess:
        """Prepare `data_dir`, launch, wait for an answer; leave no process behind on failure."""

    @property
    @abstractmethod
    def log_file(self) -> Path: ...

    @property
    def pid(self) -> int:
        """Raises RuntimeError while it is not running."""
        return self._running().pid

    def is_running(self) -> bool:
        return self._process is not None and self._process.is_running()

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def restart(self) -> None:
        """On the same port, with the same data."""
        self.stop()
        self.start()

    def kill(self) -> None:
        """SIGKILL to all of its processes, as if the machine had died; the data stay."""
        if self._process is not None:
            self._process.kill()
            self._process = None

    def pause(self) -> None:
        """SIGSTOP to all of its processes: connections stay open and nothing answers."""
        self._running().send_tree(signal.SIGSTOP)

    def resume(self) -> None:
        self._running().send_tree(signal.SIGCONT)

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.is_running():
            self._process.terminate(number, self._stop_timeout_s)
        self._process = None

    def _running(self) -> ServerProcess:
        if self._process is None or not self._process.is_running():
            raise RuntimeError(f"{type(self).__name__} is not running")
        return self._process
