"""The sender: what the dispatcher sees of the wire.

    resolver, tls = Resolver(limits), tls_context(limits)          # one of each per process
    sender = HttpSender(target, limits, on_answer, resolver=resolver, tls=tls)
    if sender.free():
        sender.send(token, request, may_write)                     # later: on_answer(token, answer)
    await sender.close(grace_seconds)

Callbacks instead of tasks and futures: the price of a delivery is the machinery around it. Every token that
was handed in comes back in exactly one `on_answer`, never from inside `send`. When `on_answer` is called, the
place of its request is free again: it may call `send` at once, and nothing else ever frees a place.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import TYPE_CHECKING, NamedTuple, Protocol

from services.publisher.wire.addresses import DialError
from services.publisher.wire.answer import Answer, Fault
from services.publisher.wire.connection import Connection
from services.publisher.wire.dial import dial

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Callable

    from services.publisher.wire.addresses import Resolver
    from services.publisher.wire.limits import WireLimits
    from services.publisher.wire.target import Target


class DestinationSender(Protocol):
    """One per destination and process, in one event loop. It is made with `on_answer(token, answer)`."""

    def free(self) -> int:
        """How many more requests may be handed in right now."""

    def send(self, token: object, request: bytes, may_write: Callable[[], bool]) -> None:
        """Send one whole HTTP/1.1 request. Raises RuntimeError when nothing is `free()`.

        `may_write` is asked immediately before the write: False ends the request as FENCED, unwritten.
        """

    async def close(self, grace_seconds: float) -> None:
        """Take nothing more, wait up to `grace_seconds` for what is in flight, end the rest as SENDER_CLOSED.

        All answers were given and all connections are closed when it returns. Safe to call twice.
        """


class _Waiting(NamedTuple):
    token: object
    request: bytes
    may_write: Callable[[], bool]
    since: float


class HttpSender:
    """A `DestinationSender` on keep-alive HTTP/1.1 connections, opened when needed, without pipelining.

    Connections and dials under way together never exceed `limits.connections`. The last used is used next, so
    that what a quiet destination does not need falls idle and is closed. A dial that fails ends one waiting
    request.
    """

    def __init__(
        self,
        target: Target,
        limits: WireLimits,
        on_answer: Callable[[object, Answer], None],
        *,
        resolver: Resolver,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        if target.secure and tls is None:
            raise ValueError("an https target needs a TLS context")
        self._target = target
        self._limits = limits
        self._on_answer = on_answer
        self._resolver = resolver
        self._tls = tls
        self._loop = asyncio.get_running_loop()
        self._connections: set[Connection] = set()
        self._free: list[Connection] = []
        self._waiting: deque[_Waiting] = deque()
        self._dials: set[asyncio.Task[None]] = set()
        self._in_flight = 0
        self._closing = False
        self._changed = asyncio.Event()
        """Set whenever a request ended or a connection was lost: what `close` waits on."""
        self._sweeper: asyncio.TimerHandle | None = None
        self._sweep_due = 0.0
        self._held_up = False
        self._distrusted_until = 0.0

    def free(self) -> int:
        return 0 if self._closing else self._limits.connections - self._in_flight

    def send(self, token: object, request: bytes, may_write: Callable[[], bool]) -> None:
        if self._in_flight >= self._limits.connections or self._closing:
            raise RuntimeError("no place is free")
        self._in_flight += 1
        free = self._free
        while free:
            connection = free.pop()
            if not connection.alive():
                connection.close()
            elif may_write():
                connection.write(token, request)
                return
            else:
                free.append(connection)
                self._end_unwritten(token, Fault.FENCED, time.time())
                return
        self._waiting.append(_Waiting(token, request, may_write, time.time()))
        if len(self._waiting) > len(self._dials):
            self._dial()

    async def close(self, grace_seconds: float) -> None:
        self._closing = True
        self._close_free()
        await self._until(lambda: self._in_flight == 0, grace_seconds)
        for task in self._dials:
            task.cancel()
        if self._dials:
            await asyncio.wait(self._dials)
        while self._waiting:
            waiting = self._waiting.popleft()
            self._end_unwritten(waiting.token, Fault.SENDER_CLOSED, waiting.since)
        for connection in tuple(self._connections):
            if connection.busy:
                connection.fail(Fault.SENDER_CLOSED)
        self._close_free()
        await self._until(
            lambda: not self._connections and self._in_flight == 0, self._limits.tls_shutdown_seconds
        )
        for connection in tuple(self._connections):
            connection.abort()
        await self._until(lambda: not self._connections, None)
        if self._sweeper is not None:
            self._sweeper.cancel()

    # What the connections call.

    def answered(self, connection: Connection, token: object, answer: Answer) -> None:
        if connection.free:
            self._put_to_use(connection)
        self._end(token, answer)

    def lost(self, connection: Connection) -> None:
        self._connections.discard(connection)
        if connection in self._free:
            self._free.remove(connection)
        self._changed.set()

    def suspect(self) -> None:
        self._distrusted_until = time.monotonic() + self._limits.distrust_seconds
        self._close_free()

    def _put_to_use(self, connection: Connection) -> None:
        if connection.answers and self._distrusted_until and time.monotonic() < self._distrusted_until:
            connection.close()
            return
        while self._waiting:
            waiting = self._waiting.popleft()
            if waiting.may_write():
                connection.write(waiting.token, waiting.request)
                return
            self._end_unwritten(waiting.token, Fault.FENCED, waiting.since)
        if self._closing:
            connection.close()
        else:
            self._free.append(connection)

    def _end_unwritten(self, token: object, fault: Fault, since: float) -> None:
        # Later, so that `send` never calls `on_answer`: a dispatcher that sends from there would recurse.
        answer = Answer(None, fault, False, None, None, since, time.time())
        self._loop.call_soon(self._end, token, answer)

    def _end(self, token: object, answer: Answer) -> None:
        self._in_flight -= 1
        if self._closing:
            self._changed.set()
        self._on_answer(token, answer)

    def _dial(self) -> None:
        self._dials.add(self._loop.create_task(self._open()))

    async def _open(self) -> None:
        fault = Fault.CONNECT_FAILED
        try:
            connection = await dial(self._target, self._limits, self._resolver, self._tls, self._made)
        except DialError as error:
            fault = error.fault
        except asyncio.CancelledError:
            fault = Fault.SENDER_CLOSED
            raise
        else:
            if connection.alive():  # not already hung up on
                self._connections.add(connection)
                self._keep_sweeping()
                self._put_to_use(connection)
        finally:
            # Also after an unforeseen exception: no request may wait for a dial that is no more.
            self._dials.discard(asyncio.current_task())
            if len(self._waiting) > len(self._dials):
                waiting = self._waiting.popleft()
                self._end_unwritten(waiting.token, fault, waiting.since)

    def _made(self, sock: socket.socket) -> Connection:
        return Connection(self, self._limits, sock)

    def _close_free(self) -> None:
        while self._free:
            self._free.pop().close()

    async def _until(self, reached: Callable[[], bool], seconds: float | None) -> None:
        try:
            async with asyncio.timeout(seconds):
                while not reached():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            pass

    def _keep_sweeping(self) -> None:
        if self._sweeper is None:
            self._sweep_due = time.monotonic() + self._limits.sweep_seconds
            self._sweeper = self._loop.call_later(self._limits.sweep_seconds, self._sweep)

    def _sweep(self) -> None:
        now = time.monotonic()
        # A loop that was held up (stopped process, long callback) may not have read yet what came in time.
        self._held_up = not self._held_up and now - self._sweep_due > self._limits.sweep_seconds
        self._sweeper = None
        if self._connections:  # first, so that an `on_answer` that raises does not end all time-outs
            self._keep_sweeping()
        if not self._held_up:
            for connection in tuple(self._connections):
                connection.sweep(now)
