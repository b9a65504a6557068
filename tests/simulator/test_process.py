"""The simulator as a process: what it says, how it ends, and what is left after `kill -9`."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from tests.simulator.harness import (
    DEADLINE,
    SECRET,
    TOKEN,
    Simulator,
    body_of,
    headers_of,
    read_answers,
    request_bytes,
    uid,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PREFIX = "LIANCHENG_SIMULATOR_"


def start(folder: Path, *arguments: str, **variables: str) -> subprocess.Popen[str]:
    given = {"DATABASE": str(folder / "db"), "SECRET": SECRET, "ADMIN_TOKEN": TOKEN} | variables
    return subprocess.Popen(
        [sys.executable, "-m", "services.simulator.service", *arguments],
        env=os.environ | {PREFIX + name: value for name, value in given.items() if value},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextmanager
def started(folder: Path) -> Iterator[tuple[subprocess.Popen[str], Simulator]]:
    with start(folder, "--port", "0") as process:
        assert process.stdout is not None
        try:
            told = json.loads(process.stdout.readline())
            assert told["pid"] == process.pid
            yield process, Simulator(told["port"], folder / "db")
        finally:
            process.kill()


def rows(database: Path, query: str) -> list[Any]:
    with closing(sqlite3.connect(database)) as db:
        return db.execute(query).fetchall()


def test_what_was_answered_is_in_the_file_after_a_kill(tmp_path: Path) -> None:
    answered: set[str] = set()
    lock = threading.Lock()

    def send(simulator: Simulator, lane: int) -> None:
        with simulator.connect() as peer:
            for number in range(lane, 1_000_000, 8):
                body = body_of(uid(number))
                try:
                    peer.sendall(request_bytes("/NCISP", body, headers_of(body)))
                    (reply,) = read_answers(peer, 1)
                except (OSError, IndexError):  # killed
                    return
                assert reply.status == 200
                with lock:
                    answered.add(uid(number))

    with started(tmp_path) as (process, simulator):
        senders = [threading.Thread(target=send, args=(simulator, lane)) for lane in range(8)]
        for sender in senders:
            sender.start()
        deadline = time.monotonic() + DEADLINE
        while len(answered) < 500:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.kill()
        for sender in senders:
            sender.join(DEADLINE)
        assert process.wait(DEADLINE) == -signal.SIGKILL

    held = {held_uid for (held_uid,) in rows(tmp_path / "db", "select record_uid from holding")}
    arrived = {
        seen for (seen,) in rows(tmp_path / "db", "select record_uid from arrival where answered = 200")
    }
    assert answered <= held
    assert held == arrived
    assert len(held - answered) <= 8  # at most the one in flight on each connection

    with started(tmp_path) as (_, again):
        assert again.push("NCISP", max(answered)).json == {"status": "duplicate"}


def test_sigterm_ends_it_cleanly(tmp_path: Path) -> None:
    with started(tmp_path) as (process, simulator):
        simulator.push("NCISP", uid(1))
        idle = simulator.connect()
        process.send_signal(signal.SIGTERM)
        assert process.wait(DEADLINE) == 0
        idle.close()
        assert process.stderr is not None
        log = [json.loads(line) for line in process.stderr]
    assert [line["event"] for line in log if line["logger"].endswith(("service", "__main__"))] == [
        "simulator_ready",
        "simulator_stopped",
    ]
    assert sorted(file.name for file in tmp_path.iterdir()) == ["db"]  # the log of SQLite is folded in


@pytest.mark.parametrize(
    ("arguments", "variables", "code", "reason"),
    [
        ((), {"SECRET": ""}, 1, "receivers_file"),
        (("--receivers-file", "nowhere.json"), {}, 1, "can't be read"),
        (("--database", "/nowhere/db"), {}, 1, "unable to open database file"),
        (("--port", "99999"), {}, 2, "PORT"),
        (("--secret", SECRET), {}, 2, "is a secret"),
    ],
)
def test_it_says_why_it_does_not_start(
    tmp_path: Path, arguments: tuple[str, ...], variables: dict[str, str], code: int, reason: str
) -> None:
    with start(tmp_path, *arguments, **variables) as process:
        out, err = process.communicate(timeout=DEADLINE)
    assert process.returncode == code
    assert out == ""
    assert reason in err
    assert SECRET not in err


def test_a_taken_port_is_an_error(tmp_path: Path) -> None:
    with started(tmp_path) as (_, simulator):
        other = tmp_path / "other"
        other.mkdir()
        with start(other, "--port", str(simulator.port)) as second:
            _, err = second.communicate(timeout=DEADLINE)
    assert second.returncode == 1
    assert "address already in use" in err
