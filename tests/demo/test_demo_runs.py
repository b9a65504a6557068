"""`liancheng demo` as a person runs it: real servers, real processes, and nothing left of any of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
import psutil
import pytest

from liancheng.demo.expectations import EXPECTATIONS
from liancheng.embedded.scratch import scratch_folder
from liancheng.local.client import Client

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]
DEADLINE_S = 180.0
TIDY_S = 20.0


def eventually(condition: Callable[[], bool], what: str, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(0.05)


@dataclass
class RunningDemo:
    """`home` is its TMPDIR, and nobody else's."""

    home: Path
    process: subprocess.Popen[bytes]
    out: Path
    err: Path

    def wait(self) -> int:
        return self.process.wait(DEADLINE_S)

    def report(self) -> dict[str, Any]:
        """What it printed: exactly one JSON object."""
        (line,) = self.out.read_bytes().splitlines()
        report: dict[str, Any] = orjson.loads(line)
        return report

    def says(self, text: str) -> bool:
        return text in self.err.read_text("utf-8")

    def left(self) -> list[str]:
        """Files and processes that are still there."""
        processes = [
            f"{process.pid} {' '.join(process.info['cmdline'])}"
            for process in psutil.process_iter(["cmdline", "environ", "status"])
            if process.info["status"] != psutil.STATUS_ZOMBIE  # of a parent that was killed, unreaped
            and process.pid != self.process.pid
            and (
                any(str(self.home) in part for part in process.info["cmdline"] or ())
                or (process.info["environ"] or {}).get("TMPDIR") == str(self.home)
            )
        ]
        return [*processes, *(path.name for path in self.home.iterdir())]


@contextmanager
def demo(*arguments: str, **variables: str) -> Iterator[RunningDemo]:
    with scratch_folder("liancheng-test-") as base:
        home = base / "home"
        home.mkdir()
        home.chmod(0o711)  # PostgreSQL's user enters
        out, err = base / "out", base / "err"
        with out.open("wb") as stdout, err.open("wb") as stderr:
            process = subprocess.Popen(
                [sys.executable, "-m", "liancheng.command", "demo", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                env=os.environ | {"TMPDIR": str(home)} | variables,
            )
        running = RunningDemo(home, process, out, err)
        try:
            yield running
        finally:
            process.kill()
            process.wait()
            eventually(lambda: not running.left(), "its processes and files are gone", TIDY_S)


def test_two_at_once_one_of_them_with_a_wrong_expectation(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.toml"
    text = EXPECTATIONS.read_text("utf-8")
    assert text.count('state = "FACT_FOUND"') == 1
    wrong.write_text(text.replace('state = "FACT_FOUND"', 'state = "LISTED"'), "utf-8")
    with (
        demo("--once", "--json") as right,
        demo("--once", "--json", "--expectations", str(wrong)) as mistaken,
    ):
        assert (right.wait(), mistaken.wait()) == (0, 1), right.err.read_text("utf-8")
        assert right.left() == mistaken.left() == []
        told, differs = right.report(), mistaken.report()
    assert told["ok"] is True
    assert told["kafka"].startswith("Apache Kafka 4")
    assert told["look"] is None
    events = {event["id"]: event for event in told["events"]}
    listing, revocation = events["evt-0009b"], events["evt-0009a"]
    assert revocation["destinations"] == listing["destinations"]
    assert len(listing["destinations"]) == 7
    assert told["receivers"]["CZ_PCIS"]["holds"][listing["record_uid"]] == {"version": 2, "op": "RETRACT"}
    assert events["evt-0001"]["destinations"] == []
    assert told["conservation"]["deliveries"] == {
        "owed": 45, "accepted": 45, "superseded": 0, "rejected": 0, "parked": 0,
    }  # fmt: skip
    assert differs["mismatches"] == [
        {"subject": "evt-0001", "what": "state", "expected": "LISTED", "got": "FACT_FOUND"}
    ]


def test_it_stays_until_ctrl_c_and_what_it_names_is_there() -> None:
    with demo("--json") as running:
        eventually(lambda: running.out.read_bytes().endswith(b"\n"), "a report", DEADLINE_S)
        look = running.report()["look"]
        api = Client(look["api"], look["token"])
        standing = api.get("/v1/check", uscc="91150304M0000C0389", area="SA08")
        assert (standing["listed"], standing["until"]) == (True, "2029-05-12")
        assert api.get("/v1/check", uscc="91320481M0000J096B", area="SA08")["listed"] is False
        assert len(Client(look["receivers"].rstrip("/")).get("/")["receivers"]) == 9
        script = (
            f". {look['folder']}/operator.env && {sys.executable} -m liancheng.command deadletter list --json"
        )
        letters = subprocess.run(["sh", "-c", script], capture_output=True, check=True, timeout=60).stdout
        assert [letter["codes"] for letter in orjson.loads(letters)] == [["E_USCC_CHECKSUM"]]
        running.process.send_signal(signal.SIGINT)
        assert running.wait() == 0
        assert running.left() == []


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -signal.SIGKILL)],
)
def test_nothing_is_left_when_it_is_ended_in_the_middle(number: signal.Signals, code: int) -> None:
    with demo("--once", "--json") as running:
        eventually(lambda: running.says("PostgreSQL"), "the database is up", DEADLINE_S)
        assert running.left()
        running.process.send_signal(number)
        assert running.wait() == code
        assert running.out.read_bytes() == b""
        if number is not signal.SIGKILL:
            assert running.left() == []  # SIGKILL: the end of `demo` waits a little


def test_without_the_jars_it_says_so_and_takes_the_in_process_broker(tmp_path: Path) -> None:
    nowhere = {"LIANCHENG_MAVEN_URL": "http://127.0.0.1:9/", "LIANCHENG_CACHE": str(tmp_path / "cache")}
    with demo("--once", "--json", **nowhere) as running:
        assert running.wait() == 0, running.err.read_text("utf-8")
        assert running.says("Not Apache Kafka")
        assert running.report()["kafka"] == "librdkafka mock"


def test_a_folder_to_keep_is_kept_and_must_be_empty() -> None:
    with scratch_folder("liancheng-test-") as base:
        kept = base / "kept"
        with demo("--once", "--json", "--keep", str(kept)) as running:
            assert running.wait() == 0, running.err.read_text("utf-8")
            assert running.left() == []
        assert {path.name for path in (kept / "logs").iterdir()} == {
            "broker-1.log", "publisher-1.log", "simulator-1.log",
        }  # fmt: skip
        with demo("--once", "--json", "--keep", str(kept)) as running:
            assert running.wait() == 1
            assert running.says("is not empty")


def test_a_wrong_command_line_is_refused() -> None:
    with demo("--verdict-seconds", "0") as running:
        assert running.wait() == 2
        assert running.says("LIANCHENG_DEMO_VERDICT_SECONDS")
