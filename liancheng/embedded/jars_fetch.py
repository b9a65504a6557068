"""Fetches the recorded jars from a Maven repository, showing how far it is."""

from __future__ import annotations

import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from liancheng.embedded.jars import KAFKA_VERSION, Jar, JarMismatchError, JarsUnavailableError, sha256
from liancheng.embedded.maven import maven

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from jgo.maven import MavenContext

_CONNECTIONS: Final = 6
_TRIES: Final = 2
_PLAIN_STEP: Final = 10  # jars between two lines where there is no terminal


class _Meter:
    """Counts jars and bytes; a bar on a terminal, some lines elsewhere. On stderr: stdout may carry JSON."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._console = Console(stderr=True)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[megabytes]:.1f} MB"),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._task = self._bar.add_task(f"Apache Kafka {KAFKA_VERSION}", total=total, megabytes=0.0)
        self._lock = threading.Lock()
        self._jars = 0
        self._bytes = 0

    def __enter__(self) -> Self:
        self._started = time.monotonic()
        if not self._console.is_terminal:
            self._console.print(f"Apache Kafka {KAFKA_VERSION}: fetching {self._total} jars (45 MB)")
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    @contextmanager
    def file(self, _name: str, _size: int) -> Iterator[Callable[[int], None]]:
        """As jgo's progress callback."""
        yield self._received

    def _received(self, count: int) -> None:
        with self._lock:
            self._bytes += count
            self._bar.update(self._task, megabytes=self._bytes / 1e6)

    def jar_done(self) -> None:
        with self._lock:
            self._jars += 1
            self._say()

    def _say(self) -> None:
        self._bar.update(self._task, completed=self._jars)
        if not self._console.is_terminal and (self._jars % _PLAIN_STEP == 0 or self._jars == self._total):
            elapsed = time.monotonic() - self._started
            self._console.print(
                f"  {self._jars}/{self._total} jars, {self._bytes / 1e6:.1f} MB, {elapsed:.0f} s"
            )


def fetch(jars: list[Jar], folder: Path) -> None:
    """Fill `folder`, which appears only when complete; what an interrupted fetch got is used again.

    Raises JarsUnavailableError if the repository can't be reached or lacks a jar, JarMismatchError if it
    serves other bytes than recorded.
    """
    partial = folder.with_name("jars.partial")
    repository = partial / "repository"
    with _Meter(len(jars)) as meter, ThreadPoolExecutor(_CONNECTIONS) as pool:
        context = maven(repository, meter.file)
        fetches = [pool.submit(_fetch_one, context, jar, meter) for jar in jars]
        try:
            for one in fetches:
                one.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    complete = partial / "jars"
    complete.mkdir(exist_ok=True)
    for jar in jars:
        (repository / jar.path).rename(complete / jar.name)
    complete.rename(folder)
    shutil.rmtree(partial)


def _fetch_one(context: MavenContext, jar: Jar, meter: _Meter) -> None:
    file = context.repo_cache / jar.path
    *group, artifact, version, _ = jar.path.parts
    problem: Exception = JarsUnavailableError(jar.name)
    for _ in range(_TRIES):
        if not file.exists():
            try:
                context.project(".".join(group), artifact).at_version(version).artifact().resolve()
            except (OSError, RuntimeError) as error:  # of requests, of jgo
                problem = JarsUnavailableError(f"cannot fetch {jar.name}: {error}")
                file.unlink(missing_ok=True)  # jgo would take the torso for the jar
                continue
        actual = sha256(file)
        if actual == jar.sha256:
            meter.jar_done()
            return
        file.unlink()
        problem = JarMismatchError(f"{jar.name} as fetched has SHA-256 {actual}, recorded is {jar.sha256}")
    raise problem
