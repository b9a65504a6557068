"""A receiver that does what a script says, byte by byte, and a client end to meet it with."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from contextlib import asynccontextmanager, contextmanager
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

from services.publisher.wire.addresses import Resolver
from services.publisher.wire.limits import WireLimits
from services.publisher.wire.sender import HttpSender
from services.publisher.wire.target import Target

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from services.publisher.wire.answer import Answer

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))


class HungUp(Exception):  # noqa: N818  an event, not an error
    """The client end is gone: the script is over."""


class Peer:
    """One accepted connection. `received` is every byte that the client wrote on it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        self._reader = reader
        self._writer = writer
        self._unread = b""
        self.number = number
        self.received = b""
        self.requests = 0

    async def read(self) -> bytes:
        """What has come next, at least one byte."""
        try:
            data = await self._reader.read(65536)
        except OSError:
            data = b""
        if not data:
            raise HungUp
        self.received += data
        return data

    async def request(self) -> bytes:
        """Wait for one whole request and give its body."""
        while b"\r\n\r\n" not in self._unread:
            self._unread += await self.read()
        head, _, rest = self._unread.partition(b"\r\n\r\n")
        length = next(
            int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.startswith(b"content-length:")
        )
        while len(rest) < length:
            rest += await self.read()
        self._unread = rest[length:]
        self.requests += 1
        return rest[:length]

    async def gone(self) -> None:
        """Wait until the client end hangs up."""
        try:
            while True:
                await self.read()
        except HungUp:
            pass

    def at_end(self) -> bool:
        """Whether the client end has hung up."""
        return self._reader.at_eof() or self._writer.is_closing()

    def _still_there(self) -> None:
        if self._writer.is_closing():  # what uvloop answers with all kinds of exceptions
            raise HungUp

    def send(self, data: bytes) -> None:
        self._still_there()
        self._writer.write(data)

    async def drip(self, data: bytes, size: int = 1) -> None:
        """Send in segments of `size` bytes, with a turn of the loop after each so that they arrive apart."""
        for start in range(0, len(data), size):
            self.send(data[start : start + size])
            await asyncio.sleep(0)
            await asyncio.sleep(0)

    def half_close(self) -> None:
        self._still_there()
        try:
            self._writer.write_eof()
        except OSError:
            raise HungUp from None

    def close(self) -> None:
        self._writer.close()

    def sever(self) -> None:
        """End the TCP stream under TLS, without close_notify."""
        with socket.socket(fileno=os.dup(self._writer.get_extra_info("socket").fileno())) as beneath:
            beneath.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """End with RST instead of FIN."""
        self._still_there()
        sock = self._writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()


async def answers_all(peer: Peer) -> None:
    """The script of a receiver as it should be."""
    while True:
        await peer.request()
        peer.send(OK)


class Receiver:
    def __init__(self, script: Callable[[Peer], Awaitable[None]]) -> None:
        self._script = script
        self.peers: list[Peer] = []
        self.port = 0

    @property
    def received(self) -> bytes:
        return b"".join(peer.received for peer in self.peers)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = Peer(reader, writer, len(self.peers))
        self.peers.append(peer)
        try:
            await self._script(peer)
        except HungUp:
            pass
        finally:
            writer.close()


@asynccontextmanager
async def receiving(
    script: Callable[[Peer], Awaitable[None]], tls: ssl.SSLContext | None = None
) -> AsyncIterator[Receiver]:
    """Every connection is served by `script`; it is closed when the script ends."""
    receiver = Receiver(script)
    tasks: list[asyncio.Task[None]] = []

    def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.append(asyncio.get_running_loop().create_task(receiver.serve(reader, writer)))

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls, limit=2**22)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()
        for _ in range(3):  # a connection that is accepted already becomes a task in the next turns
            await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(result, Exception):
                raise result


@contextmanager
def black_hole(host: str, port: int) -> Iterator[int]:
    """A listener whose queue is full drops further SYNs, as a firewall does."""
    with socket.socket() as listener:
        listener.bind((host, port))
        listener.listen(0)
        address = listener.getsockname()
        fillers = [socket.socket() for _ in range(8)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(address)
        try:
            yield address[1]
        finally:
            for filler in fillers:
                filler.close()


@contextmanager
def listening() -> Iterator[socket.socket]:
    """A listener for a receiver in a thread of its own, which must not outlive a failed test."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(5)
        yield listener


class Client:
    """A sender with memory: hand in by token, wait by token."""

    def __init__(self, target: Target, limits: WireLimits, **options: Any) -> None:
        self.answers: dict[object, Answer] = {}
        self.order: list[object] = []
        self._changed = asyncio.Event()
        self.resolver = options.pop("resolver", None) or Resolver(limits)
        self.sender = HttpSender(target, limits, self._on_answer, resolver=self.resolver, **options)
        self.target = target
        self.after: Callable[[object], None] = lambda _: None
        """Called with the token at the end of each `on_answer`."""

    def _on_answer(self, token: object, answer: Answer) -> None:
        assert token not in self.answers, "a token came back twice"
        self.answers[token] = answer
        self.order.append(token)
        self._changed.set()
        self.after(token)

    def hand_in(
        self, token: object, body: bytes = b"{}", may_write: Callable[[], bool] = lambda: True
    ) -> None:
        head = f"POST {self.target.path} HTTP/1.1\r\nhost: {self.target.authority}\r\n"
        request = head.encode() + b"content-length: %d\r\n\r\n" % len(body) + body
        self.sender.send(token, request, may_write)

    async def answer(self, token: object) -> Answer:
        while token not in self.answers:
            self._changed.clear()
            await self._changed.wait()
        return self.answers[token]

    async def post(
        self, token: object = 0, body: bytes = b"{}", may_write: Callable[[], bool] = lambda: True
    ) -> Answer:
        self.hand_in(token, body, may_write)
        return await self.answer(token)


def wire_limits(**changes: Any) -> WireLimits:
    """Loopback allowed, one connection, short time-outs that only a hang would reach."""
    values: dict[str, Any] = {
        "allowed_networks": LOOPBACK,
        "connections": 1,
        "connect_seconds": 5.0,
        "first_byte_seconds": 8.0,
        "whole_seconds": 8.0,
        "sweep_seconds": 0.02,
    }
    return WireLimits(**{**values, **changes})


@asynccontextmanager
async def sending(
    port: int, *, url: str = "", options: dict[str, Any] | None = None, **limits: Any
) -> AsyncIterator[Client]:
    client = Client(
        Target.parse(url or f"http://127.0.0.1:{port}/hook"), wire_limits(**limits), **(options or {})
    )
    try:
        yield client
    finally:
        await client.sender.close(0)
        client.resolver.close()


async def until(reached: Callable[[], bool]) -> None:
    """Wait for a condition that the loop will bring about; the scenario's own deadline ends it."""
    while not reached():  # noqa: ASYNC110  there is no event for "the receiver has seen a byte"
        await asyncio.sleep(0.001)
