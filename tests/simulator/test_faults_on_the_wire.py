from __future__ import annotations

import http.client
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

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
    from pathlib import Path

    from tests.simulator.harness import Simulator

HTTP_DATE = "Fri, 27 Nov 2026 08:00:00 GMT"


def raw(number: int) -> bytes:
    body = body_of(uid(number))
    return request_bytes("/NCISP", body, headers_of(body))


def send_and_listen(simulator: Simulator, sent: bytes) -> bytes:
    with simulator.connect() as peer:
        peer.sendall(sent)
        return read_all(peer)


def held(simulator: Simulator) -> list[str]:
    return [item["record_uid"] for item in simulator.get("/NCISP/records")["items"]]


def last_arrival(simulator: Simulator) -> tuple[Any, ...]:
    arrival = simulator.arrivals("NCISP")[-1]
    return arrival["verdict"], arrival["fault"], arrival["answered"]


@pytest.mark.parametrize("stored", [False, True])
def test_status(simulator: Simulator, stored: bool) -> None:
    simulator.faults("NCISP", {"kind": "status", "status": 503, "count": 1, "stored": stored})
    assert simulator.push("NCISP", uid(1)).status == 503
    assert last_arrival(simulator) == ("NEW" if stored else "FAULT", "status", 503)
    assert held(simulator) == ([uid(1)] if stored else [])
    expected = "duplicate" if stored else "accepted"
    assert simulator.push("NCISP", uid(1)).json == {"status": expected}


def test_a_status_without_body_has_none(simulator: Simulator) -> None:
    simulator.faults("NCISP", {"kind": "status", "status": 204, "count": 1})
    with simulator.connect() as peer:
        peer.sendall(raw(1) + raw(2))
        empty, full = read_answers(peer, 2)
    assert (empty.status, empty.headers) == (204, {})
    assert full.json == {"status": "accepted"}


def test_a_redirect_leads_back_here(simulator: Simulator) -> None:
    simulator.faults("NCISP", {"kind": "status", "status": 307, "count": 1})
    assert simulator.push("NCISP", uid(1)).headers["location"] == "?followed"
    body = body_of(uid(1))
    assert simulator.request("POST", "/NCISP?followed", body, headers_of(body)).status == 200
    assert simulator.get("/NCISP/counts")["requests"] == 2


@pytest.mark.parametrize(
    ("value", "status", "answered"), [(17, None, 429), (HTTP_DATE, 503, 503), (0, 200, 200)]
)
def test_retry_after(simulator: Simulator, value: int | str, status: int | None, answered: int) -> None:
    rule = {"kind": "retry_after", "retry_after": value} | ({} if status is None else {"status": status})
    simulator.faults("NCISP", rule)
    reply = simulator.push("NCISP", uid(1))
    assert (reply.status, reply.headers["retry-after"]) == (answered, str(value))
    assert last_arrival(simulator) == ("FAULT", "retry_after", answered)


def test_latency_answers_late_and_well(simulator: Simulator) -> None:
    simulator.faults("NCISP", {"kind": "latency", "seconds": 0.3})
    began = time.monotonic()
    assert simulator.push("NCISP", uid(1)).json == {"status": "accepted"}
    assert time.monotonic() - began >= 0.3
    assert last_arrival(simulator) == ("NEW", "latency", 200)
    assert simulator.get("/NCISP/counts")["faults"] == {"latency": 1}


@pytest.mark.parametrize("stored", [False, True])
def test_timeout_never_answers_and_keeps_the_connection(simulator: Simulator, stored: bool) -> None:
    simulator.faults("NCISP", {"kind": "timeout", "stored": stored, "count": 1})
    with simulator.connect(timeout=0.3) as peer:
        peer.sendall(raw(1))
        with pytest.raises(TimeoutError):
            peer.recv(1)
        peer.sendall(raw(2))  # still taken, though its answer can't overtake
        with pytest.raises(TimeoutError):
            peer.recv(1)
    assert [a["verdict"] for a in simulator.arrivals("NCISP")] == ["NEW" if stored else "FAULT", "NEW"]
    assert simulator.arrivals("NCISP")[0]["answered"] is None
    assert held(simulator) == ([uid(1), uid(2)] if stored else [uid(2)])


@pytest.mark.parametrize("stored", [False, True])
def test_reset_after_the_request(simulator: Simulator, stored: bool) -> None:
    simulator.faults("NCISP", {"kind": "reset", "stored": stored})
    with pytest.raises(ConnectionResetError):
        send_and_listen(simulator, raw(1))
    assert last_arrival(simulator) == ("NEW" if stored else "FAULT", "reset", None)
    assert held(simulator) == ([uid(1)] if stored else [])


@pytest.mark.parametrize("stored", [False, True])
def test_truncated_body(simulator: Simulator, stored: bool) -> None:
    simulator.faults("NCISP", {"kind": "truncated", "stored": stored})
    with pytest.raises(http.client.IncompleteRead) as caught:
        simulator.push("NCISP", uid(1))
    assert caught.value.partial
    assert last_arrival(simulator) == ("NEW" if stored else "FAULT", "truncated", 200)
    assert held(simulator) == ([uid(1)] if stored else [])


@pytest.mark.parametrize("stored", [False, True])
def test_answer_then_die(simulator: Simulator, stored: bool) -> None:
    simulator.faults("NCISP", {"kind": "answer_then_die", "stored": stored})
    answer = send_and_listen(simulator, raw(1))
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"connection: close" not in answer  # the sender believes in the connection
    assert last_arrival(simulator) == ("NEW" if stored else "FAULT", "answer_then_die", 200)
    assert held(simulator) == ([uid(1)] if stored else [])


def test_answer_then_die_stores_unless_told_otherwise(simulator: Simulator) -> None:
    simulator.faults("NCISP", {"kind": "answer_then_die"})
    assert simulator.push("NCISP", uid(1)).status == 200
    assert held(simulator) == [uid(1)]


def test_down_resets_before_the_body_and_sees_no_arrival(simulator: Simulator) -> None:
    simulator.faults("NCISP", {"kind": "down"})
    head = raw(1).partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
    with pytest.raises(ConnectionResetError):
        send_and_listen(simulator, head)
    with pytest.raises((ConnectionResetError, BrokenPipeError)):
        simulator.push("NCISP", uid(1))
    assert simulator.get("/NCISP/counts")["requests"] == 0
    assert simulator.push("CREDIT_CHINA", uid(1)).status == 200  # only this receiver is down
    simulator.faults("NCISP")
    assert simulator.push("NCISP", uid(1)).status == 200


def test_a_stored_fault_does_not_hide_a_bad_signature(simulator: Simulator) -> None:
    simulator.faults("NCISP", {"kind": "status", "status": 503, "stored": True})
    body = body_of(uid(1))
    headers = headers_of(body) | {"webhook-signature": "v1,AAAA"}
    assert simulator.request("POST", "/NCISP", body, headers).status == 503
    assert last_arrival(simulator) == ("BAD_SIGNATURE", "status", 503)
    assert held(simulator) == []


def test_a_share_of_requests_fails_and_every_one_is_counted(simulator: Simulator) -> None:
    simulator.faults("NCISP", {"kind": "status", "status": 500, "probability": 0.3})
    with simulator.connect() as peer:
        for number in range(200):
            peer.sendall(raw(number))
        statuses = [reply.status for reply in read_answers(peer, 200)]
    counts = simulator.get("/NCISP/counts")
    assert set(statuses) == {200, 500}
    assert counts["faulted"] == statuses.count(500) == counts["faults"]["status"]
    assert counts["accepted"] == statuses.count(200)
    assert counts["requests"] == 200
    assert 30 <= statuses.count(500) <= 90


def test_a_request_that_is_never_answered_does_not_hold_up_a_stop(tmp_path: Path) -> None:
    with running(tmp_path / "db", drain_seconds=60) as simulator:
        simulator.faults("NCISP", {"kind": "timeout"})
        peer = simulator.connect()
        peer.sendall(raw(1))
        deadline = time.monotonic() + DEADLINE
        while not simulator.arrivals("NCISP"):
            assert time.monotonic() < deadline
        stopping = time.monotonic()
    assert time.monotonic() - stopping < DEADLINE
    with peer, suppress(ConnectionResetError):
        assert read_all(peer) == b""


def test_an_answer_that_would_come_too_late_is_cut_off_by_a_stop(tmp_path: Path) -> None:
    with running(tmp_path / "db", drain_seconds=0.1) as simulator:
        simulator.faults("NCISP", {"kind": "latency", "seconds": 3600})
        peer = simulator.connect()
        peer.sendall(raw(1))
        deadline = time.monotonic() + DEADLINE
        while not simulator.arrivals("NCISP"):
            assert time.monotonic() < deadline
    with peer, pytest.raises(ConnectionResetError):
        read_all(peer)


def test_a_late_answer_is_waited_for_when_stopping(tmp_path: Path) -> None:
    with running(tmp_path / "db") as simulator:
        simulator.faults("NCISP", {"kind": "latency", "seconds": 0.5})
        peer = simulator.connect()
        peer.sendall(raw(1))
        deadline = time.monotonic() + DEADLINE
        while not simulator.arrivals("NCISP"):
            assert time.monotonic() < deadline
    with peer:
        answer = read_all(peer)
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"connection: close\r\n" in answer
