"""The receiving end of HTTP/1.1: one protocol object per connection, parsed by httptools (llhttp).

Own code rather than an ASGI server, because the faults are the point of the simulator: it has to reset a
connection before it reads a body, hang, or break off in mid-answer, and ASGI gives no hold of the connection.
Requests are handed over as they arrive; their answers leave in the same order (RFC 9112, 9.3.2).
"""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections import deque
from typing import TYPE_CHECKING, Final, Protocol, cast

import httptools

from services.runtime.logs import logger
from services.simulator.message import CONTINUE, Answer, Ending, Request, problem

if TYPE_CHECKING:
    from services.simulator.server import Server

LINGER_ZERO: Final = struct.pack("ii", 1, 0)
"""SO_LINGER with time 0: closing sends RST and drops what was not sent (socket(7))."""

log = logger(__name__)


class Handler(Protocol):
    def refuses(self, method: str, path: str) -> bool:
        """Asked when the head is there and before the body is read; True resets the connection."""

    def handle(self, exchange: Exchange) -> None:
        """Take a request that is there in full; its answer may be given now, later or never."""


class Exchange:
    """A request and the place for its answer."""

    __slots__ = ("abandoned", "connection", "keep_alive", "reply", "request")

    def __init__(self, connection: Connection, request: Request, *, keep_alive: bool) -> None:
        self.connection = connection
        self.request = request
        self.keep_alive = keep_alive
        self.reply: Answer | None = None
        self.abandoned = False

    def answer(self, answer: Answer) -> None:
        """Answer once; it leaves when every earlier request of the connection has been answered."""
        self.reply = answer
        self.connection.flush()

    def abandon(self) -> None:
        """Never answer; a stop doesn't wait for it either."""
        self.abandoned = True


class Connection(asyncio.Protocol):
    def __init__(self, server: Server) -> None:
        self.number = server.next_number()
        self._server = server
        self._limits = server.settings
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport
        self._waiting: deque[Exchange] = deque()
        self._deaf = False  # what still arrives is ignored
        self._ended = False  # nothing more is written either
        self._writing_paused = False
        self._reading_paused = False
        self._since = server.loop.time()
        self._begin()

    def _begin(self) -> None:
        self._receiving = False
        self._url = b""
        self._headers: dict[bytes, bytes] = {}
        self._body: list[bytes] = []
        self._head_bytes = self._body_bytes = 0
        self._refusal: Answer | None = None

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one without saying so
        if not self._server.admit(self):
            self.reset()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self._deaf = self._ended = True
        self._waiting.clear()
        self._server.forget(self)

    def data_received(self, data: bytes) -> None:
        if self._deaf:
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._deaf = True  # its request has been taken, and ends the connection
        except httptools.HttpParserError:
            self._refusal = self._refusal or problem(400, "the request is not HTTP/1.1")
        if self._refusal is not None and not self._deaf:
            self._refuse(self._refusal)
        self._pace()

    def pause_writing(self) -> None:
        self._writing_paused = True
        self._since = self._server.loop.time()
        self._pace()

    def resume_writing(self) -> None:
        self._writing_paused = False
        self._pace()

    # httptools callbacks

    def on_message_begin(self) -> None:
        self._receiving = True
        self._since = self._server.loop.time()

    def on_url(self, url: bytes) -> None:
        self._url += url
        self._count_head(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count_head(len(name) + len(value) + 4)
        if self._refusal is None:
            self._headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        if self._deaf or self._refusal is not None:
            return
        request = self._request()
        if self._server.handler.refuses(request.method, request.path):
            self.reset()
        elif self._headers.get(b"expect", b"").lower() == b"100-continue" and not self._waiting:
            self._transport.write(CONTINUE)

    def on_body(self, body: bytes) -> None:
        self._body_bytes += len(body)
        if self._body_bytes <= self._limits.max_body_bytes:
            self._body.append(body)
        elif self._refusal is None:
            self._refusal = problem(413, f"bodies have at most {self._limits.max_body_bytes} bytes")

    def on_message_complete(self) -> None:
        if self._deaf or self._refusal is not None:
            return
        # An offer to speak another protocol is passed over (RFC 9110, 7.8), but what follows may be in it.
        keep_alive = self._parser.should_keep_alive() and not self._parser.should_upgrade()
        exchange = Exchange(self, self._request(), keep_alive=keep_alive)
        self._begin()
        self._waiting.append(exchange)
        try:
            self._server.handler.handle(exchange)
        except Exception:  # the parser would turn it into a parse error
            log.exception("request_failed", path=exchange.request.path)
            exchange.answer(problem(500, "the simulator failed; its log says why"))

    def _request(self) -> Request:
        path, _, query = self._url.decode("latin-1").partition("?")
        method = self._parser.get_method().decode("latin-1")
        return Request(method, path, query, self._headers, b"".join(self._body), time.time())

    def _count_head(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > self._limits.max_head_bytes and self._refusal is None:
            self._refusal = problem(431, f"a head has at most {self._limits.max_head_bytes} bytes")

    # answering

    def flush(self) -> None:
        """Write every answer whose turn it is."""
        while not self._ended and self._waiting and (answer := self._waiting[0].reply) is not None:
            exchange = self._waiting.popleft()
            if answer.ending is Ending.RESET:
                self.reset()
                return
            last = not exchange.keep_alive or self._server.draining
            self._transport.write(answer.render(head_only=exchange.request.method == "HEAD", last=last))
            self._since = self._server.loop.time()
            if last or answer.ending is not Ending.KEEP:
                self.close()
        self._pace()

    def _refuse(self, answer: Answer) -> None:
        """Answer, in its turn, what can't be taken, and read no further."""
        self._deaf = True
        exchange = Exchange(self, self._request(), keep_alive=False)
        self._waiting.append(exchange)
        exchange.answer(answer)

    def close(self) -> None:
        """Close when what was written has left."""
        self._ended = True
        self._since = self._server.loop.time()
        if self._deaf and self._transport.can_write_eof():
            # Closing with unread input would send RST and could destroy the refusal on its way.
            self._transport.write_eof()
            return
        self._deaf = True
        self._transport.close()

    def reset(self) -> None:
        """Reset at once (RST); nothing more is read or written."""
        self._deaf = self._ended = True
        if not self._transport.is_closing():
            peer: socket.socket = self._transport.get_extra_info("socket")
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_ZERO)
        self._transport.abort()

    # pace and time

    @property
    def busy(self) -> bool:
        """Whether a request is arriving or waits for an answer that will come."""
        return not self._waiting[0].abandoned if self._waiting else self._receiving

    @property
    def unsent(self) -> bool:
        return self._transport.get_write_buffer_size() > 0

    def _pace(self) -> None:
        """Read only while answers are taken and not too many are owed."""
        pause = self._writing_paused or len(self._waiting) >= self._limits.max_pipelined
        if self._ended or pause is self._reading_paused:
            return
        self._reading_paused = pause
        if pause:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    def check_time(self, now: float) -> None:
        """End a connection that is too slow or idle; `now` is the loop's clock (s)."""
        quiet = now - self._since
        if self._writing_paused or self._ended:
            if quiet > self._limits.receive_timeout_seconds:
                self.reset()
        elif self._waiting:
            return
        elif self._receiving:
            if quiet > self._limits.receive_timeout_seconds:
                self._refuse(problem(408, "the request did not arrive in time"))
        elif quiet > self._limits.keep_alive_seconds:
            self.close()
