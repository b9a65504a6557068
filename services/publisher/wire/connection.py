"""One connection: one request out, one answer in, then perhaps the next. No task, future or timer a request.

HTTP/1.1 answers carry no name: all that ties one to its request is order. So there is no pipelining, and a
connection on which a byte came that nothing had asked for is not used again. What no client can tell apart is
a second answer that arrives just when the next request has left; a receiver once caught is therefore
suspected, and gets each request on a connection of its own for a while.
"""

from __future__ import annotations

import asyncio
import select
import ssl
import time
from typing import TYPE_CHECKING, Final, Protocol

from services.publisher.wire.answer import Answer, Fault, retry_after_seconds
from services.publisher.wire.answer_reader import AnswerReader

if TYPE_CHECKING:
    import socket

    from services.publisher.wire.limits import WireLimits

_KEEP_ALIVE_MARGIN: Final = 1.0
"""Seconds that we hang up before the receiver said it would: one slow round trip."""


_HUNG_UP: Final = frozenset((Fault.CLOSED_BEFORE_ANSWER, Fault.CONNECTION_RESET))


class Owner(Protocol):
    """Whoever the connections belong to: the sender."""

    def answered(self, connection: Connection, token: object, answer: Answer) -> None:
        """A request ended. The connection may be handed another one if it is `free`."""

    def lost(self, connection: Connection) -> None:
        """The connection is gone. If it was busy, `answered` was called before."""

    def suspect(self) -> None:
        """The receiver can't be trusted with a second request on one connection."""


class Connection(asyncio.Protocol):
    """`write()` when `free`. Its owner calls `sweep()` from time to time, which enforces all time-outs."""

    __slots__ = (
        "_first_byte_seconds",
        "_idle_seconds",
        "_max_age_seconds",
        "_opened_at",
        "_owner",
        "_probe_seconds",
        "_reader",
        "_sent_at",
        "_since",
        "_sock",
        "_token",
        "_transport",
        "_whole_seconds",
        "answers",
        "busy",
        "free",
    )

    _transport: asyncio.Transport

    def __init__(self, owner: Owner, limits: WireLimits, sock: socket.socket) -> None:
        self._owner = owner
        self._sock = sock
        self._reader = AnswerReader(limits)
        self._first_byte_seconds = limits.first_byte_seconds
        self._idle_seconds = limits.idle_seconds
        self._max_age_seconds = limits.max_age_seconds
        self._probe_seconds = limits.idle_probe_seconds
        self._whole_seconds = limits.whole_seconds
        self._token: object = None
        self._sent_at = 0.0
        self._opened_at = self._since = time.monotonic()
        self.answers = 0
        """Whole answers so far."""
        self.busy = False
        self.free = False

    # What the owner calls.

    def write(self, token: object, request: bytes) -> None:
        """The one place where bytes of a request go to a socket."""
        self.busy, self.free = True, False
        self._token = token
        self._reader.start()
        self._since = time.monotonic()
        self._sent_at = time.time()
        self._transport.write(request)

    def alive(self) -> bool:
        """Whether an unused connection may be used. Finds a hang-up that the event loop has not read yet."""
        if not self.free or self._transport.is_closing():
            return False
        if time.monotonic() - self._since < self._probe_seconds:
            return True
        poll = select.poll()
        poll.register(self._sock, select.POLLIN)
        return not poll.poll(0)

    def sweep(self, now: float) -> None:
        """Enforce the time-outs at this `time.monotonic()`."""
        waited = now - self._since
        if self.busy:
            if waited > self._whole_seconds:
                self.fail(Fault.ANSWER_TIMEOUT if self._reader.received else Fault.RESPONSE_TIMEOUT)
            elif waited > self._first_byte_seconds and not self._reader.received:
                self.fail(Fault.RESPONSE_TIMEOUT)
        elif self.free and (waited > self._idle_seconds or now - self._opened_at > self._max_age_seconds):
            self.close()

    def fail(self, fault: Fault) -> None:
        """End the request in flight without a whole answer, and the connection with it."""
        self._finish(fault)

    def close(self) -> None:
        """Hang up an unused connection."""
        self.free = False
        if not self._transport.is_closing():
            self._transport.close()

    def abort(self) -> None:
        self.free = False
        self._transport.abort()

    # What the transport calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # a stream's transport is a Transport
        self.free = True

    def data_received(self, data: bytes) -> None:
        if not self.busy:
            if not self._transport.is_closing():
                self._owner.suspect()
            self.abort()
        elif self._reader.feed(data):
            self._finish(self._reader.fault)

    def eof_received(self) -> None:
        self.free = False
        if self.busy:
            self._reader.end(orderly=_closed_orderly(self._transport))
            self._finish(self._reader.fault)

    def connection_lost(self, exc: Exception | None) -> None:
        self.free = False
        if self.busy:
            self._reader.end(orderly=False)
            self._finish(self._reader.fault if exc is None else Fault.CONNECTION_RESET)
        self._reader.release()
        self._owner.lost(self)

    def _finish(self, fault: Fault | None) -> None:
        reader = self._reader
        answered_at = time.time()
        self._since = time.monotonic()
        self.busy = False
        if fault is None:
            self.answers += 1
        if reader.surplus or (self.answers == 1 and fault in _HUNG_UP and not reader.received):
            self._owner.suspect()
        self._keep_or_leave(fault)
        status = reader.status
        body, digest = (b"", None) if status is None else reader.body()
        wait = reader.retry_after
        retry_after = None if wait is None else retry_after_seconds(wait, answered_at)
        token, self._token = self._token, None
        # Positional: keywords would double the price of a tuple that is made for every delivery.
        answer = Answer(status, fault, True, retry_after, digest, self._sent_at, answered_at, body)
        self._owner.answered(self, token, answer)

    def _keep_or_leave(self, fault: Fault | None) -> None:
        transport = self._transport
        if fault is not None or transport.get_write_buffer_size():
            # An answer before the whole request was written is an answer, but the rest of the request may not
            # follow it, and no other request can come before the rest.
            transport.abort()
        elif self._reader.reusable and self._since - self._opened_at < self._max_age_seconds:
            hint = self._reader.keep_alive_seconds
            if hint is not None:
                self._idle_seconds = min(self._idle_seconds, hint - _KEEP_ALIVE_MARGIN)
            self.free = True
        else:
            self.close()


def _closed_orderly(transport: asyncio.Transport) -> bool:
    """Over TLS only close_notify is an end.

    asyncio reports the bare end of the stream, which anyone on the way can forge, just the same.
    """
    tls = transport.get_extra_info("ssl_object")
    try:
        return tls is None or not tls.read(1)
    except ssl.SSLError:  # it wants more
        return False
