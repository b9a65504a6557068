"""The receiving end of HTTP/1.1, with whatever a client may do to it."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from services.simulator.desk import Desk
from tests.simulator.harness import (
    DEADLINE,
    body_of,
    headers_of,
    read_all,
    read_answers,
    request_bytes,
    running,
    uid,
)

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator
    from pathlib import Path

    from tests.simulator.harness import Simulator

LIVE = b"GET /livez HTTP/1.1\r\nhost: test\r\n\r\n"


def raw(number: int, receiver: str = "NCISP") -> bytes:
    body = body_of(uid(number))
    return request_bytes(f"/{receiver}", body, headers_of(body))


@pytest.fixture
def strict(tmp_path: Path) -> Iterator[Simulator]:
    """A simulator with limits that a test can reach."""
    limits = {
        "max_body_bytes": 2000,
        "max_head_bytes": 1000,
        "max_connections": 2,
        "max_pipelined": 3,
        "receive_timeout_seconds": 0.6,
        "keep_alive_seconds": 0.6,
    }
    with running(tmp_path / "strict.sqlite3", **limits) as started:
        yield started


def test_answers_leave_in_the_order_of_the_requests(simulator: Simulator) -> None:
    simulator.faults("NCISP", {"kind": "latency", "seconds": 0.3, "count": 1})
    with simulator.connect() as peer:
        peer.sendall(raw(1) + LIVE + raw(1) + LIVE)
        answers = [reply.json["status"] for reply in read_answers(peer, 4)]
    assert answers == ["accepted", "ok", "duplicate", "ok"]


def test_a_request_may_come_byte_by_byte(simulator: Simulator) -> None:
    with simulator.connect() as peer:
        for byte in raw(1):
            peer.sendall(bytes([byte]))
        (reply,) = read_answers(peer, 1)
    assert reply.json == {"status": "accepted"}


def test_a_body_may_be_chunked(simulator: Simulator) -> None:
    body = body_of(uid(1))
    head = request_bytes("/NCISP", b"", headers_of(body)).replace(
        b"content-length: 0", b"transfer-encoding: chunked"
    )
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n"
    with simulator.connect() as peer:
        peer.sendall(head + chunks + LIVE)
        first, second = read_answers(peer, 2)
    assert (first.json, second.json) == ({"status": "accepted"}, {"status": "ok"})


def test_a_client_that_asks_first_is_told_to_go_on(simulator: Simulator) -> None:
    body = body_of(uid(1))
    request = request_bytes("/NCISP", body, headers_of(body) | {"expect": "100-continue"})
    head, _, _ = request.partition(b"\r\n\r\n")
    with simulator.connect() as peer:
        peer.sendall(head + b"\r\n\r\n")
        assert peer.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        peer.sendall(body)
        (reply,) = read_answers(peer, 1)
    assert reply.json == {"status": "accepted"}


@pytest.mark.parametrize(
    "request_line",
    [
        b"GET /livez HTTP/1.0",
        b"GET /livez HTTP/1.1\r\nconnection: close",
        b"GET /livez HTTP/1.1\r\nconnection: upgrade\r\nupgrade: h2c",
    ],
)
def test_a_client_that_wants_no_more_gets_the_connection_closed(
    simulator: Simulator, request_line: bytes
) -> None:
    with simulator.connect() as peer:
        peer.sendall(request_line + b"\r\n\r\n")
        answer = read_all(peer)
    assert answer.endswith(b'connection: close\r\n\r\n{"status":"ok"}')


def test_head_is_get_without_the_body(simulator: Simulator) -> None:
    with simulator.connect() as peer:
        peer.sendall(LIVE.replace(b"GET", b"HEAD") + b"HEAD /livez HTTP/1.1\r\nconnection: close\r\n\r\n")
        answer = read_all(peer)
    assert answer.count(b"content-length: 15\r\n") == 2
    assert b"ok" not in answer.lower().replace(b"200 ok", b"")


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"hello\r\n\r\n", 400),
        (b"POST /NCISP HTTP/1.1\r\ncontent-length: many\r\n\r\n", 400),
        (request_bytes("/NCISP", b"x" * 2001, {}), 413),
        (request_bytes("/NCISP", b"", {"x-long": "x" * 1000}), 431),
        (request_bytes("/NCISP", b"", {f"x-{n}": "x" for n in range(200)}), 431),
        (b"GET /" + b"x" * 1001 + b" HTTP/1.1\r\n\r\n", 431),
    ],
)
def test_what_cannot_be_taken_is_refused_and_no_arrival(strict: Simulator, sent: bytes, status: int) -> None:
    with strict.connect() as peer:
        peer.sendall(sent)
        (reply,) = read_answers(peer, 1)
    assert reply.status == status
    assert reply.headers["connection"] == "close"
    assert reply.json["status"] == status
    assert strict.get("/NCISP/counts")["requests"] == 0


def test_a_refusal_arrives_although_the_client_is_still_sending(strict: Simulator) -> None:
    with strict.connect() as peer:
        peer.sendall(request_bytes("/NCISP", b"x" * 4_000_000, {}))
        (reply,) = read_answers(peer, 1)
    assert reply.status == 413


def test_what_was_taken_before_a_refusal_is_answered_first(strict: Simulator) -> None:
    with strict.connect() as peer:
        peer.sendall(raw(1) + b"nonsense\r\n\r\n")
        first, second = read_answers(peer, 2)
    assert (first.status, second.status) == (200, 400)


def test_a_request_that_does_not_arrive_in_time_is_given_up(strict: Simulator) -> None:
    with strict.connect() as peer:
        began = time.monotonic()
        peer.sendall(raw(1)[:-1])
        (reply,) = read_answers(peer, 1)
        assert reply.status == 408
        assert time.monotonic() - began >= 0.6


def test_an_idle_connection_is_closed(strict: Simulator) -> None:
    with strict.connect() as peer:
        peer.sendall(LIVE)
        began = time.monotonic()
        read_answers(peer, 1)
        assert read_all(peer) == b""
        assert time.monotonic() - began >= 0.6


def test_more_connections_than_allowed_are_reset(strict: Simulator) -> None:
    with strict.connect() as first, strict.connect() as second:
        for peer in (first, second):
            peer.sendall(LIVE)
            read_answers(peer, 1)
        assert not _answers(strict)
    deadline = time.monotonic() + DEADLINE
    while not _answers(strict):
        assert time.monotonic() < deadline


def _answers(simulator: Simulator) -> bool:
    try:
        return simulator.request("GET", "/livez").status == 200
    except (ConnectionResetError, BrokenPipeError):
        return False


def test_reading_pauses_while_too_many_answers_are_owed(strict: Simulator) -> None:
    strict.faults("NCISP", {"kind": "latency", "seconds": 0.3, "count": 1})
    with strict.connect() as peer:
        for number in range(40):
            peer.sendall(raw(number))
        assert [reply.status for reply in read_answers(peer, 40)] == [200] * 40
    assert [a["record_uid"] for a in strict.arrivals("NCISP")] == [uid(number) for number in range(40)]


def test_a_client_that_takes_no_answers_is_given_up(strict: Simulator) -> None:
    for number in range(100):
        strict.push("NCISP", uid(number))
    ask = b"GET /NCISP/arrivals HTTP/1.1\r\nhost: test\r\n\r\n"
    with strict.connect() as peer, pytest.raises((ConnectionResetError, BrokenPipeError)):
        _send_for_ever(peer, ask)


def test_a_client_that_reads_slowly_gets_every_answer(simulator: Simulator) -> None:
    for number in range(100):
        simulator.push("NCISP", uid(number))
    ask = b"GET /NCISP/arrivals HTTP/1.1\r\nhost: test\r\n\r\n"
    with simulator.connect() as peer:
        sender = threading.Thread(target=peer.sendall, args=(ask * 500,))
        sender.start()
        replies = read_answers(peer, 500)  # 20 MB, more than the buffers on the way hold
        sender.join(DEADLINE)
    assert {len(reply.json["items"]) for reply in replies} == {100}


def test_a_failing_handler_is_answered_for(simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("broken on purpose")

    with monkeypatch.context() as broken:
        broken.setattr(Desk, "handle", fail)
        assert simulator.request("GET", "/livez").status == 500
    assert simulator.request("GET", "/livez").status == 200


def _send_for_ever(peer: socket.socket, request: bytes) -> None:
    deadline = time.monotonic() + DEADLINE
    while time.monotonic() < deadline:
        peer.sendall(request * 50)
