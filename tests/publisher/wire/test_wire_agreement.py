"""The same bytes to us and to a well-kept client library (urllib3): the same verdict."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
import urllib3

from tests.publisher.wire.hostile_receiver import OK, Peer, receiving, sending

if TYPE_CHECKING:
    from tests.publisher.wire.conftest import Run

SAME = {
    "content-length": OK,
    "no content": b"HTTP/1.1 204 No Content\r\n\r\n",
    "not modified": b"HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n",
    "until close": b"HTTP/1.1 200 OK\r\n\r\nall of it",
    "chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    "chunk extension": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n0\r\n\r\n",
    "trailer": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: y\r\n\r\n",
    "interim": b"HTTP/1.1 100 Continue\r\n\r\n" + OK,
    "HTTP/1.0": b"HTTP/1.0 200 OK\r\n\r\nold",
    "redirect": b"HTTP/1.1 301 Moved\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n",
    "gone": b"HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n",
    "busy": b"HTTP/1.1 429 Slow Down\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n",
    "server error": b"HTTP/1.1 500 Oops\r\nContent-Length: 3\r\n\r\nbad",
    "unusual status": b"HTTP/1.1 299 Fine\r\nContent-Length: 0\r\n\r\n",
    "no reason": b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n",
    "odd case": b"HTTP/1.1 200 OK\r\ncOnTeNt-LeNgTh: 1\r\n\r\nx",
    "surplus": OK + b"surplus",
    "nothing": b"",
    "half a status line": b"HTTP/1.1 2",
    "short body": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab",
    "no last chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
    "cut chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nabc",
    "bad chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
    "no HTTP": b"220 mail.example ESMTP\r\n",
    "HTTP/0.9": b"<html></html>",
    "bad status": b"HTTP/1.1 abc OK\r\nContent-Length: 0\r\n\r\n",
    "long status": b"HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n",
    "contradicting lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\n\r\nab",
}

# The library repairs or ignores these; we refuse, and the outcome is unknown rather than accepted.
STRICTER = {
    "bare line feeds": b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
    "cut in the head": b"HTTP/1.1 200 OK\r\nContent-Len",
    "negative length": b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nab",
    "length and chunks": b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
    "unasked coding": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nxyz",
    "upgrade": b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    "later HTTP/1": b"HTTP/1.2 200 OK\r\nContent-Length: 0\r\n\r\n",
    "two equal lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
}


def by_library(port: int) -> tuple[int, bytes] | None:
    with urllib3.PoolManager(retries=False, timeout=5.0) as pool:
        try:
            answer = pool.request("POST", f"http://127.0.0.1:{port}/", body=b"{}", redirect=False)
        except urllib3.exceptions.HTTPError:
            return None
        return answer.status, answer.data


async def both(data: bytes) -> tuple[tuple[int, bytes] | None, tuple[int, bytes] | None]:
    async def script(peer: Peer) -> None:
        await peer.read()  # the library may send head and body apart, and does not need the body read
        peer.send(data)
        peer.half_close()
        await peer.gone()

    async with receiving(script) as receiver, sending(receiver.port) as client:
        answer = await client.post()
        ours = None if answer.error else (answer.status or 0, answer.body)
        return ours, await asyncio.to_thread(by_library, receiver.port)


@pytest.mark.parametrize("name", SAME)
def test_the_verdict_is_the_librarys(run: Run, name: str) -> None:
    ours, theirs = run(both(SAME[name]))
    assert ours == theirs


@pytest.mark.parametrize("name", STRICTER)
def test_where_the_library_is_lenient_we_refuse(run: Run, name: str) -> None:
    ours, theirs = run(both(STRICTER[name]))
    assert ours is None
    assert theirs is not None, "no longer a difference: move it to SAME"
