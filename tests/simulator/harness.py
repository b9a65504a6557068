"""A simulator on its own thread and loop, and a client of plain sockets that signs by itself."""

from __future__ import annotations

import asyncio
import base64
import hmac
import http.client
import json
import socket
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import uvloop

from services.simulator.service import run
from services.simulator.settings import SimulatorSettings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

KEY = b"k" * 32
SECRET = "whsec_" + base64.b64encode(KEY).decode()
TOKEN = "administrator"
DEADLINE = 10.0


def uid(number: int) -> str:
    return f"01JTEST{number:019d}"


def body_of(record_uid: str, version: int = 1, *, op: str = "UPSERT", **members: Any) -> bytes:
    push = {
        "record_uid": record_uid,
        "version": version,
        "sequence": version,
        "op": op,
        "cause": None,
        "destination": "NCISP",
        "record": {"state": "LISTED", "subject": "91150300M000003690", "names": [{"name": "虚构铁合金厂"}]},
    }
    return json.dumps(push | members, ensure_ascii=False).encode()


def signature(body: bytes, webhook_id: str, at: str, key: bytes = KEY) -> str:
    """Standard Webhooks, "Signature scheme", written here once more so that the test trusts no package."""
    signed = b".".join((webhook_id.encode(), at.encode(), body))
    return "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode()


def headers_of(body: bytes, *, webhook_id: str | None = None, at: float | None = None) -> dict[str, str]:
    if webhook_id is None:
        push = json.loads(body)
        webhook_id = f"{push['record_uid']}.{push['version']}.{push['destination']}"
    stamp = str(int(time.time() if at is None else at))
    return {
        "content-type": "application/json",
        "webhook-id": webhook_id,
        "webhook-timestamp": stamp,
        "webhook-signature": signature(body, webhook_id, stamp),
    }


def request_bytes(path: str, body: bytes, headers: Mapping[str, str]) -> bytes:
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST {path} HTTP/1.1\r\nhost: test\r\n{head}content-length: {len(body)}\r\n\r\n".encode() + body


@dataclass(frozen=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Simulator:
    """A running simulator, spoken to on fresh connections."""

    def __init__(self, port: int, database: Path) -> None:
        self.port = port
        self.database = database

    def connect(self, timeout: float = DEADLINE) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout)

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Reply:
        """One request on a connection of its own; what goes wrong on it is raised as http.client does."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE)
        try:
            connection.request(method, path, body, dict(headers or {}))
            response = connection.getresponse()
            return Reply(response.status, dict(response.getheaders()), response.read())
        finally:
            connection.close()

    def push(self, receiver: str, record_uid: str, version: int = 1, **members: Any) -> Reply:
        body = body_of(record_uid, version, **members)
        return self.request("POST", f"/{receiver}", body, headers_of(body))

    def get(self, path: str) -> Any:
        reply = self.request("GET", path)
        assert reply.status == 200, reply
        return reply.json

    def arrivals(self, receiver: str) -> list[dict[str, Any]]:
        page = self.get(f"/{receiver}/arrivals")
        assert page["next"] is None
        items: list[dict[str, Any]] = page["items"]
        return items

    def faults(self, receiver: str, *rules: dict[str, Any]) -> None:
        reply = self.request(
            "PUT",
            f"/admin/{receiver}/faults",
            json.dumps(rules).encode(),
            {"authorization": f"Bearer {TOKEN}"},
        )
        assert reply.status == 200, reply.body


@contextmanager
def running(database: Path, **settings: Any) -> Iterator[Simulator]:
    given = {"secret": SECRET, "admin_token": TOKEN, "port": 0, "database": database, **settings}
    port: list[int] = []
    opened = threading.Event()
    failed: list[BaseException] = []
    loop: list[asyncio.AbstractEventLoop] = []
    stop = asyncio.Event()

    def ready(_: str, number: int) -> None:
        port.append(number)
        opened.set()

    async def serve() -> None:
        loop.append(asyncio.get_running_loop())
        await run(SimulatorSettings(**given), stop, ready)

    def work() -> None:
        try:
            uvloop.run(serve())
        except BaseException as error:  # noqa: BLE001 (handed to the test's thread)
            failed.append(error)
            opened.set()

    thread = threading.Thread(target=work, name="simulator")
    thread.start()
    assert opened.wait(DEADLINE)
    try:
        if not failed:
            yield Simulator(port[0], database)
    finally:
        if thread.is_alive():
            loop[0].call_soon_threadsafe(stop.set)
        thread.join(DEADLINE)
    assert not thread.is_alive(), "the simulator does not stop"
    if failed:
        raise failed[0]


def read_all(peer: socket.socket) -> bytes:
    """Everything until the other side closes; ConnectionResetError if it resets."""
    parts = []
    while part := peer.recv(65_536):
        parts.append(part)
    return b"".join(parts)


def read_answers(peer: socket.socket, number: int) -> list[Reply]:
    """`number` answers with Content-Length, in their order."""
    file = peer.makefile("rb")
    replies = []
    for _ in range(number):
        status = int(file.readline().split()[1])
        headers: dict[str, str] = {}
        while line := file.readline().strip():
            name, _, value = line.decode().partition(": ")
            headers[name] = value
        replies.append(Reply(status, headers, file.read(int(headers.get("content-length", "0")))))
    return replies
