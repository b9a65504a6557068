"""Servers end with the process that started them, however it ends, and with nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from liancheng.embedded.kafka import EmbeddedKafka
from liancheng.embedded.mock_kafka import MockKafka
from liancheng.embedded.postgres import EmbeddedPostgres
from liancheng.embedded.scratch import scratch_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DEADLINE_S = 20.0

# Starts each server from a thread that has ended when the process ids are printed.
PARENT = """
import sys, threading, time
from pathlib import Path
from liancheng.embedded.kafka import EmbeddedKafka
from liancheng.embedded.mock_kafka import MockKafka
from liancheng.embedded.postgres import EmbeddedPostgres

folder = Path(sys.argv[1])
servers = [EmbeddedPostgres(folder / "p"), EmbeddedKafka(folder / "k"), MockKafka(folder / "m")]
threads = [threading.Thread(target=server.start) for server in servers]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(*(server.pid for server in servers), flush=True)
time.sleep(600)
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    with scratch_folder() as made:
        yield made


def eventually(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, f"not within {DEADLINE_S:g} s: {what}"
        time.sleep(0.02)


def shared_memory_segments() -> set[str]:
    lines = Path("/proc/sysvipc/shm").read_text().splitlines()[1:]
    return {line.split()[1] for line in lines}


def is_alive(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def test_they_outlive_the_starting_thread_and_end_when_their_parent_is_killed(folder: Path) -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(folder)], stdout=subprocess.PIPE, text=True)
    try:
        assert parent.stdout is not None
        pids = [int(word) for word in parent.stdout.readline().split()]
        assert len(pids) == 3
        family = [psutil.Process(pid) for pid in pids]
        backends = family[0].children(recursive=True)
        assert backends
        assert all(map(is_alive, family))
    finally:
        parent.kill()
        parent.communicate()
    eventually(lambda: not any(map(is_alive, family + backends)), "all servers gone")
    # PostgreSQL was asked, not shot: it took its lock files and shared memory with it.
    assert not (folder / "p" / "cluster" / "postmaster.pid").exists()


@pytest.mark.parametrize("make", [EmbeddedPostgres, EmbeddedKafka, MockKafka])
def test_the_terminals_interrupt_does_not_reach_them(
    make: Callable[[Path], EmbeddedPostgres | EmbeddedKafka | MockKafka], folder: Path
) -> None:
    with make(folder / "data") as server:
        assert os.getsid(server.pid) == os.getpgid(server.pid) == server.pid != os.getsid(0)


def test_a_killed_postgres_leaves_no_process_and_no_shared_memory(folder: Path) -> None:
    server = EmbeddedPostgres(folder / "data")
    server.start()
    family = [psutil.Process(server.pid), *psutil.Process(server.pid).children()]
    assert len(family) > 1
    segment = (folder / "data" / "cluster" / "postmaster.pid").read_text().splitlines()[6].split()[1]
    assert segment in shared_memory_segments()
    server.kill()
    assert not any(map(is_alive, family))
    assert segment not in shared_memory_segments()
    server.kill()
