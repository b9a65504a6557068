"""A server as our child process: its log, its signals, its end with ours."""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from liancheng.embedded.lifecycle import ServerStartError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_LAUNCHER: Final = Path(__file__).with_name("launch.py")
_LOG_TAIL_BYTES: Final = 4_096
_POLL_S: Final = 0.01
_KILL_TIMEOUT_S: Final = 10.0


@dataclass(frozen=True)
class Account:
    """An operating-system user that a server runs as."""

    name: str
    uid: int
    gid: int


class ServerProcess:
    """A running child in a session of its own, so that Ctrl-C in the terminal reaches us and not the server.

    On Linux the kernel sends it `death_signal` when this process ends in whatever way, SIGKILL included.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        log_file: Path,
        death_signal: signal.Signals = signal.SIGKILL,
        account: Account | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.log_file = log_file
        self._name = Path(command[0]).name
        uid, gid = (account.uid, account.gid) if account else (-1, -1)
        launch = [sys.executable, "-I", "-S", str(_LAUNCHER), str(os.getpid()), str(int(death_signal))]
        with log_file.open("ab") as log:
            self._log_start = log.tell()
            forked = _spawner().submit(
                subprocess.Popen,
                [*launch, str(uid), str(gid), *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env=None if environment is None else dict(environment),
                start_new_session=True,
            )
            self._popen: subprocess.Popen[bytes] = forked.result()

    @property
    def pid(self) -> int:
        return self._popen.pid

    def is_running(self) -> bool:
        return self._popen.poll() is None

    def send(self, number: signal.Signals) -> None:
        self._popen.send_signal(number)

    def send_tree(self, number: signal.Signals) -> None:
        """To the server, then to every process below it: so it starts no new ones meanwhile."""
        self.send(number)
        for pid in _descendants(self.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def wait(self, timeout_s: float) -> int:
        """The exit status. Raises `subprocess.TimeoutExpired`."""
        return self._popen.wait(timeout_s)

    def finish(self, timeout_s: float) -> None:
        """Wait for a tool that ends by itself; ServerStartError unless it ends well and in time."""
        try:
            status = self.wait(timeout_s)
        except BaseException:
            self.kill()
            raise
        if status != 0:
            raise ServerStartError(f"{self._name} ended with status {status}:\n{self.log_tail()}")

    def terminate(self, number: signal.Signals, timeout_s: float) -> None:
        """Ask it to end; kill it, and everything below it, if it takes longer than `timeout_s`."""
        self.send(signal.SIGCONT)  # a stopped process would sleep through the request
        self.send(number)
        try:
            self.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """SIGKILL to it and everything below it; returns when all of them are gone."""
        below = _descendants(self.pid) if self.is_running() else []
        self.send(signal.SIGKILL)
        self.wait(_KILL_TIMEOUT_S)
        for pid in below:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        deadline = time.monotonic() + _KILL_TIMEOUT_S
        while any(_is_alive(pid) for pid in below):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self._name}: processes {below} outlive their SIGKILL")
            time.sleep(_POLL_S)

    def wait_until(self, ready: Callable[[], bool], timeout_s: float) -> None:
        """Poll `ready` until it is true.

        On any failure the process is killed; ServerStartError if it ends first or `timeout_s` passes.
        """
        try:
            self._poll(ready, timeout_s)
        except BaseException:
            self.kill()
            raise

    def _poll(self, ready: Callable[[], bool], timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while True:
            answers = ready()
            if not self.is_running():  # then it was somebody else who answered
                raise ServerStartError(
                    f"{self._name} ended with status {self._popen.returncode}:\n{self.log_tail()}"
                )
            if answers:
                return
            if time.monotonic() > deadline:
                raise ServerStartError(
                    f"{self._name} does not answer after {timeout_s:g} s:\n{self.log_tail()}"
                )
            time.sleep(_POLL_S)

    def log_tail(self) -> str:
        """The last lines that this process logged."""
        with self.log_file.open("rb") as log:
            size = log.seek(0, os.SEEK_END)
            log.seek(max(self._log_start, size - _LOG_TAIL_BYTES))
            tail = log.read().decode(errors="replace").strip()
        return f"{tail or '(nothing logged)'}\n(log: {self.log_file})"


@functools.cache
def _spawner() -> ThreadPoolExecutor:
    """One thread, as old as the process, that forks all servers.

    For the kernel the parent of a child is the thread that forked it: a server that is started from a worker
    thread would get its death signal when that thread ends.
    """
    return ThreadPoolExecutor(1, thread_name_prefix="server-spawner")


os.register_at_fork(after_in_child=_spawner.cache_clear)


def _descendants(pid: int) -> list[int]:
    """Processes below `pid`, from /proc; none where there is no /proc."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it ended meanwhile
            # The name in parentheses may hold spaces and parentheses itself.
            parent = int(entry.read_text().rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(entry.parent.name))
    found: list[int] = []
    frontier = [pid]
    while frontier:
        below = children.get(frontier.pop(), [])
        found.extend(below)
        frontier.extend(below)
    return found


def _is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in {"Z", "X"}
