from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from socket import create_connection
from typing import TYPE_CHECKING, Any

import pytest

from bench.sink import Sink, StatusRate

if TYPE_CHECKING:
    from collections.abc import Iterator

SINK = Path(__file__).parents[2] / "bench" / "sink.py"
DEADLINE = 10.0


@contextmanager
def started(*arguments: str) -> Iterator[int]:
    """A sink's port; it has to end well when asked to."""
    command = [sys.executable, str(SINK), "--port", "0", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())["port"]
            process.send_signal(signal.SIGTERM)
            assert process.wait(DEADLINE) == 0
        finally:
            process.kill()


def delivery(webhook_id: str | None, path: str = "/anything") -> bytes:
    header = f"Webhook-Id: {webhook_id}\r\n" if webhook_id else ""
    return f"POST {path} HTTP/1.1\r\nhost: t\r\n{header}content-length: 2\r\n\r\n{{}}".encode()


def deliver(port: int, *sent: bytes) -> list[int]:
    """Send everything at once on one connection; the statuses of the answers."""
    with create_connection(("127.0.0.1", port), DEADLINE) as peer:
        peer.sendall(b"".join(sent))
        file = peer.makefile("rb")
        statuses = []
        for _ in sent:
            statuses.append(int(file.readline().split()[1]))
            assert file.readline() == b"content-length: 0\r\n"
            assert file.readline() == b"\r\n"
        return statuses


def ask(port: int, method: str, path: str) -> tuple[int, Any]:
    connection = HTTPConnection("127.0.0.1", port, timeout=DEADLINE)
    try:
        connection.request(method, path)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def test_it_counts_by_id_and_forgets() -> None:
    with started() as port:
        statuses = deliver(port, *(delivery(name) for name in ("a", "b", "a", "c", None)))
        assert statuses == [200] * 5
        status, counts = ask(port, "GET", "/counts")
        assert status == 200
        assert counts == {
            "requests": 5,
            "distinct": 3,
            "repeated": 1,
            "unidentified": 1,
            "failed": 0,
            "connections": 2,
        }
        assert ask(port, "POST", "/reset")[1]["requests"] == 0
        deliver(port, delivery("a"))
        assert ask(port, "GET", "/counts")[1]["distinct"] == 1
        assert ask(port, "GET", "/times")[0] == 404
        assert ask(port, "GET", "/elsewhere")[0] == 404


def test_an_id_of_one_request_is_not_taken_for_the_next() -> None:
    with started() as port:
        deliver(port, delivery("a"), delivery(None), delivery("b"))
        counts = ask(port, "GET", "/counts")[1]
    assert (counts["distinct"], counts["unidentified"], counts["repeated"]) == (2, 1, 0)


def test_it_keeps_the_first_time_of_each_id() -> None:
    before = time.time()
    with started("--record-times") as port:
        deliver(port, delivery("a"))
        between = time.time()
        deliver(port, delivery("a"), delivery("b"))
        times = ask(port, "GET", "/times")[1]
    assert before <= times["a"] <= between <= times["b"] <= time.time()


def test_it_fails_a_share_the_same_way_for_the_same_seed() -> None:
    runs = []
    for _ in range(2):
        with started("--status-rate", "0.25:503", "--seed", "7") as port:
            statuses = deliver(port, *(delivery(str(number)) for number in range(200)))
            runs.append(statuses)
            assert ask(port, "GET", "/counts")[1]["failed"] == statuses.count(503)
    assert runs[0] == runs[1]
    assert set(runs[0]) == {200, 503}
    assert 20 <= runs[0].count(503) <= 80


def test_nonsense_ends_the_connection() -> None:
    with started() as port, create_connection(("127.0.0.1", port), DEADLINE) as peer:
        peer.sendall(delivery("a") + b"nonsense\r\n\r\n")
        answer = b"".join(iter(lambda: peer.recv(4096), b""))
    assert answer.count(b"HTTP/1.1 ") == 2
    assert b"400 Bad Request" in answer


@pytest.mark.parametrize("text", ["0.1", "1.5:503", "-1:503", "x:503", "0.1:99", "nan:503"])
def test_a_share_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        StatusRate.parse(text)


@pytest.mark.asyncio
async def test_it_serves_inside_another_program() -> None:
    sink = Sink()
    assert await sink.listen() == sink.port > 0
    sink.take(b"a")
    assert sink.counts()["distinct"] == 1
    sink.close()
