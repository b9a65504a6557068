"""A receiver that only counts: answers every POST, counts requests by `webhook-id`, verifies nothing.

    python bench/sink.py --port 0                        # first line: {"port": …, "pid": …}
    python bench/sink.py --port 9101 --record-times --status-rate 0.1:503

`GET /counts` tells what was seen, `GET /times` when each id arrived first (unix s; needs --record-times),
`POST /reset` forgets it. Every other POST, whatever its path, is a delivery. The ids of a run are kept in
memory, some 150 bytes each (250 with times).
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import signal
import sys
import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, cast

import httptools
import orjson
import uvloop

if TYPE_CHECKING:
    from collections.abc import Sequence

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
NOT_HTTP = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
CONTROL = frozenset({b"/counts", b"/times", b"/reset"})


@dataclass(frozen=True, slots=True)
class StatusRate:
    """The share of deliveries (0 to 1) that is answered with `status` instead of 200."""

    share: float
    status: int

    @classmethod
    def parse(cls, text: str) -> StatusRate:
        """From `share:status`, say `0.1:503`. Raises ValueError."""
        share, _, status = text.partition(":")
        rate = cls(float(share), HTTPStatus(int(status)).value)
        if not 0 <= rate.share <= 1:
            raise ValueError(f"a share is from 0 to 1: {share}")
        return rate

    @property
    def answer(self) -> bytes:
        phrase = HTTPStatus(self.status).phrase
        return f"HTTP/1.1 {self.status} {phrase}\r\ncontent-length: 0\r\n\r\n".encode()


class Sink:
    """What arrived. `seen` counts requests by webhook-id; `times` holds when each came first (unix s)."""

    def __init__(
        self, *, record_times: bool = False, status_rate: StatusRate | None = None, seed: int | None = None
    ) -> None:
        self.record_times = record_times
        self._rate = status_rate
        self._bad = b"" if status_rate is None else status_rate.answer
        self._random = random.Random(seed)
        self._server: asyncio.Server | None = None
        self._open: set[_Connection] = set()
        self.port = 0
        self.connections = 0
        self.forget()

    def forget(self) -> None:
        """Start counting anew; open connections stay."""
        self.requests = self.failed = self.unidentified = 0
        self.seen: dict[bytes, int] = {}
        self.times: dict[bytes, float] = {}

    async def listen(self, host: str = "127.0.0.1", port: int = 0) -> int:
        """Open the socket (port 0: a free one) and return its port."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self), host, port, backlog=1024)
        self.port = self._server.sockets[0].getsockname()[1]
        return self.port

    def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for connection in tuple(self._open):
            connection.transport.close()

    def take(self, webhook_id: bytes) -> bytes:
        """Count one delivery and return its answer."""
        self.requests += 1
        if webhook_id:
            self.seen[webhook_id] = self.seen.get(webhook_id, 0) + 1
        else:
            self.unidentified += 1
        if self.record_times and webhook_id not in self.times:
            self.times[webhook_id] = time.time()
        if self._rate is not None and self._random.random() < self._rate.share:
            self.failed += 1
            return self._bad
        return OK

    def counts(self) -> dict[str, int]:
        """`requests` = distinct + repeated + unidentified; `failed` of them by --status-rate."""
        return {
            "requests": self.requests,
            "distinct": len(self.seen),
            "repeated": self.requests - self.unidentified - len(self.seen),
            "unidentified": self.unidentified,
            "failed": self.failed,
            "connections": self.connections,
        }

    def control(self, method: bytes, path: bytes) -> bytes:
        """Answer a control request."""
        match method, path:
            case b"GET", b"/counts":
                return _json(200, self.counts())
            case b"GET", b"/times" if self.record_times:
                return _json(200, {key.decode("latin-1"): at for key, at in self.times.items()})
            case b"POST", b"/reset":
                self.forget()
                return _json(200, self.counts())
        return _json(404, {"detail": "no such control"})

    def opened(self, connection: _Connection) -> None:
        self._open.add(connection)
        self.connections += 1

    def lost(self, connection: _Connection) -> None:
        self._open.discard(connection)


class _Connection(asyncio.Protocol):
    __slots__ = ("_answers", "_control", "_id", "_parser", "_sink", "_url", "transport")

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._parser = httptools.HttpRequestParser(self)
        self._answers: list[bytes] = []
        self._id = self._url = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is one without saying so
        self._sink.opened(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self._sink.lost(self)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self.transport.write(b"".join((*self._answers, NOT_HTTP)))
            self.transport.close()
            return
        # All requests of one read are answered by one write, in their order.
        if self._answers:
            self.transport.write(b"".join(self._answers))
            self._answers.clear()
            if not self._parser.should_keep_alive():
                self.transport.close()

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if len(name) == 10 and name.lower() == b"webhook-id":
            self._id = value

    def on_message_complete(self) -> None:
        if self._url in CONTROL or self._parser.get_method() != b"POST":
            answer = self._sink.control(self._parser.get_method(), self._url)
        else:
            answer = self._sink.take(self._id)
        self._answers.append(answer)
        self._id = self._url = b""


def _json(status: int, value: object) -> bytes:
    body = orjson.dumps(value)
    head = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\ncontent-type: application/json\r\n"
    return head.encode() + b"content-length: %d\r\n\r\n" % len(body) + body


async def _serve(sink: Sink, host: str, port: int) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    print(orjson.dumps({"port": await sink.listen(host, port), "pid": os.getpid()}).decode(), flush=True)
    await stop.wait()
    sink.close()


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (127.0.0.1)")
    parser.add_argument("--port", type=int, default=0, help="port, 0 takes a free one (0)")
    parser.add_argument("--record-times", action="store_true", help="keep when each webhook-id came first")
    parser.add_argument(
        "--status-rate", type=StatusRate.parse, metavar="SHARE:STATUS", help="fail a share, say 0.1:503"
    )
    parser.add_argument("--seed", type=int, help="seed of the draws of --status-rate (random)")
    a = parser.parse_args(arguments)
    sink = Sink(record_times=a.record_times, status_rate=a.status_rate, seed=a.seed)
    uvloop.run(_serve(sink, a.host, a.port))


if __name__ == "__main__":
    main(sys.argv[1:])
