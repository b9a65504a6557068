"""Every trap of owning the connection, against a scripted receiver, on both event loops."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import pytest

from services.publisher.wire.answer import Answer, Fault
from services.publisher.wire.classify import Outcome, classify
from tests.publisher.wire.hostile_receiver import OK, Peer, receiving, sending, until

if TYPE_CHECKING:
    from tests.publisher.wire.conftest import Run


async def exchange(answer: bytes, ending: str, body: bytes = b"{}", **limits: Any) -> tuple[Answer, int]:
    """One request that is answered with these bytes and then this ending; the answer and the connections used
    by it and by a second request, which is always answered well."""

    async def script(peer: Peer) -> None:
        await peer.request()
        if peer.number:
            peer.send(OK)
        else:
            peer.send(answer)
            if ending == "close":
                peer.close()
            elif ending == "half-close":
                peer.half_close()
            elif ending == "reset":
                peer.reset()
            elif ending == "keep":
                await peer.request()
                peer.send(OK)
        await peer.gone()

    async with receiving(script) as receiver, sending(receiver.port, **limits) as client:
        first = await client.post("first", body)
        second = await client.post("second", b"{}")
        assert (second.status, second.error, second.body) == (200, None, b"ok")
        return first, len(receiver.peers)


WHOLE = [
    # answer, ending, status, body, connections that two requests take
    pytest.param(OK, "keep", 200, b"ok", 1, id="content-length"),
    pytest.param(b"HTTP/1.1 204 No Content\r\n\r\n", "keep", 204, b"", 1, id="204 without length"),
    pytest.param(
        b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", "keep", 304, b"", 1, id="304 length"
    ),
    pytest.param(b"HTTP/1.1 201 C\r\nContent-Length: 0\r\n\r\n", "keep", 201, b"", 1, id="empty body"),
    pytest.param(b"HTTP/1.1 200 OK\r\n\r\nbody", "close", 200, b"body", 2, id="no length, read until close"),
    pytest.param(b"HTTP/1.1 200 OK\r\n\r\nbody", "half-close", 200, b"body", 2, id="no length, half-close"),
    pytest.param(b"HTTP/1.1 200 OK\r\n\r\n", "close", 200, b"", 2, id="no length, no body"),
    pytest.param(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"2;x=1\r\nab\r\n1\r\nc\r\n0\r\nRetry-After: 9\r\n\r\n",
        "keep",
        200,
        b"abc",
        1,
        id="chunked, extension and trailer",
    ),
    pytest.param(
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nRetry-After: 3\r\n\r\n" + OK,
        "keep",
        200,
        b"ok",
        1,
        id="interim answers",
    ),
    pytest.param(
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
        "keep",
        200,
        b"ok",
        2,
        id="close",
    ),
    pytest.param(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", "keep", 200, b"ok", 2, id="HTTP/1.0"),
    pytest.param(
        b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok",
        "keep",
        200,
        b"ok",
        1,
        id="HTTP/1.0 keep-alive",
    ),
    pytest.param(OK + b"garbage", "keep", 200, b"ok", 2, id="garbage behind the answer"),
    pytest.param(
        OK + b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", "keep", 200, b"ok", 2, id="two answers"
    ),
    pytest.param(OK, "close", 200, b"ok", 2, id="whole, then closed unannounced"),
    pytest.param(OK, "half-close", 200, b"ok", 2, id="whole, then half-closed"),
    pytest.param(
        b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
        "keep",
        302,
        b"",
        1,
        id="redirect, not followed",
    ),
    pytest.param(
        b"HTTP/1.1 200 OK\r\nUpgrade: h2c\r\nConnection: Upgrade\r\nContent-Length: 0\r\n\r\n",
        "keep",
        200,
        b"",
        1,
        id="upgrade merely offered",
    ),
    pytest.param(b"HTTP/1.1 503\r\nContent-Length: 0\r\n\r\n", "keep", 503, b"", 1, id="no reason phrase"),
]


@pytest.mark.parametrize(("answer", "ending", "status", "body", "connections"), WHOLE)
def test_a_whole_answer(
    run: Run, answer: bytes, ending: str, status: int, body: bytes, connections: int
) -> None:
    got, used = run(exchange(answer, ending, idle_probe_seconds=0))
    assert (got.status, got.error, got.written, got.body) == (status, None, True, body)
    assert got.body_sha256 == hashlib.sha256(body).digest()
    assert got.retry_after is None
    assert 0 < got.sent_at <= got.answered_at
    assert used == connections


BROKEN = [
    # answer, ending, fault, status
    pytest.param(b"", "close", Fault.CLOSED_BEFORE_ANSWER, None, id="closed without a byte"),
    pytest.param(b"", "half-close", Fault.CLOSED_BEFORE_ANSWER, None, id="half-closed without a byte"),
    pytest.param(b"", "reset", Fault.CONNECTION_RESET, None, id="reset without a byte"),
    pytest.param(b"HTTP/1.1 20", "close", Fault.ANSWER_TRUNCATED, None, id="cut in the status line"),
    pytest.param(
        b"HTTP/1.1 200 OK\r\nContent-Le", "close", Fault.ANSWER_TRUNCATED, None, id="cut in the head"
    ),
    pytest.param(
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhal",
        "close",
        Fault.ANSWER_TRUNCATED,
        200,
        id="cut in the body",
    ),
    pytest.param(
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhal",
        "half-close",
        Fault.ANSWER_TRUNCATED,
        200,
        id="cut in the body, half-close",
    ),
    pytest.param(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n",
        "close",
        Fault.ANSWER_TRUNCATED,
        200,
        id="no last chunk",
    ),
    pytest.param(
        b"HTTP/1.1 100 Continue\r\n\r\n", "close", Fault.ANSWER_TRUNCATED, None, id="only an interim answer"
    ),
    pytest.param(
        b"HTTP/1.1 101 S\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        "keep",
        Fault.BAD_ANSWER,
        None,
        id="101",
    ),
    pytest.param(b"HTTP/1.1 101 S\r\n\r\n" + OK, "keep", Fault.BAD_ANSWER, None, id="101 without upgrade"),
    pytest.param(b"SSH-2.0-OpenSSH_9.6\r\n", "keep", Fault.BAD_ANSWER, None, id="another protocol"),
    pytest.param(b"\x15\x03\x01\x00\x02\x02\x16", "keep", Fault.BAD_ANSWER, None, id="a TLS alert"),
    pytest.param(b"<html>200 OK</html>", "close", Fault.BAD_ANSWER, None, id="HTTP/0.9"),
    pytest.param(
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 2\r\n\r\nhello",
        "keep",
        Fault.BAD_ANSWER,
        None,
        id="two lengths",
    ),
    pytest.param(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "keep",
        Fault.BAD_ANSWER,
        200,
        id="bad chunk",
    ),
]


@pytest.mark.parametrize(("answer", "ending", "fault", "status"), BROKEN)
def test_a_broken_answer_is_unknown(
    run: Run, answer: bytes, ending: str, fault: Fault, status: int | None
) -> None:
    got, used = run(exchange(answer, ending))
    assert (got.error, got.status, got.written) == (fault, status, True)
    assert classify(got).outcome is Outcome.UNKNOWN
    assert used == 2


ENDLESS = [
    pytest.param(b"HTTP/1.1 200 OK\r\n", b"X-Filler: yes\r\n", Fault.HEAD_TOO_LARGE, id="headers"),
    pytest.param(b"HTTP/1.1 200 OK\r\nX: ", b"y" * 100, Fault.HEAD_TOO_LARGE, id="one header"),
    pytest.param(b"HTTP/1.1 200 ", b"O" * 100, Fault.HEAD_TOO_LARGE, id="reason phrase"),
    pytest.param(b"", b"HTTP/1.1 100 Continue\r\n\r\n", Fault.BAD_ANSWER, id="interim answers"),
    pytest.param(b"HTTP/1.1 200 OK\r\n\r\n", b"body" * 10, Fault.BODY_TOO_LARGE, id="body without length"),
    pytest.param(
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n",
        b"body" * 10,
        Fault.BODY_TOO_LARGE,
        id="long body",
    ),
    pytest.param(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"1\r\nx\r\n",
        Fault.BODY_TOO_LARGE,
        id="chunks",
    ),
    pytest.param(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;",
        b"x=y;" * 10,
        Fault.BODY_TOO_LARGE,
        id="extension",
    ),
    pytest.param(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
        b"X: y\r\n",
        Fault.HEAD_TOO_LARGE,
        id="trailers",
    ),
]


@pytest.mark.parametrize(("start", "more", "fault"), ENDLESS)
def test_an_endless_answer_ends_at_its_limit(run: Run, start: bytes, more: bytes, fault: Fault) -> None:
    """Not by time: every time-out is longer than the test's own deadline."""

    async def script(peer: Peer) -> None:
        await peer.request()
        peer.send(start)
        while not peer.at_end():
            await peer.drip(more, len(more))

    async def scenario() -> Answer:
        limits: dict[str, Any] = {"max_head_bytes": 2048, "max_headers": 100, "max_body_bytes": 1024}
        async with (
            receiving(script) as receiver,
            sending(receiver.port, first_byte_seconds=60, whole_seconds=60, **limits) as client,
        ):
            return await client.post()

    assert run(scenario()).error == fault


def test_an_answer_before_the_request_is_written_counts_and_ends_the_connection(run: Run) -> None:
    refusal = b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n"
    written: list[int] = []

    async def script(peer: Peer) -> None:
        if peer.number:
            await peer.request()
            peer.send(OK)
        else:
            await peer.read()  # the head, and not the body
            peer.send(refusal)
        await peer.gone()
        written.append(len(peer.received))

    async def scenario() -> None:
        async with receiving(script) as receiver, sending(receiver.port) as client:
            body = b"x" * 50_000_000  # more than all buffers between the two ends
            first = await client.post("first", body)
            assert (first.status, first.error, first.written) == (413, None, True)
            assert classify(first).outcome is Outcome.RETRYABLE
            assert (await client.post("second")).status == 200
            assert len(receiver.peers) == 2
            await until(lambda: bool(written))
            assert written[0] < len(body)

    run(scenario())
