"""A small HTTP client over a real socket, so that a test can also hang up in the middle."""

from __future__ import annotations

import asyncio
from typing import Any, NamedTuple
from urllib.parse import urlencode

import orjson


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)

    @property
    def code(self) -> str:
        """The code of a problem document."""
        assert self.headers["content-type"] == "application/problem+json", self
        code: str = self.json["code"]
        return code


class Client:
    """Asks one server, a connection per request."""

    def __init__(self, port: int, token: str | None = None) -> None:
        self._port, self._token = port, token

    def with_key(self, token: str | None) -> Client:
        return Client(self._port, token)

    async def get(self, path: str, *, headers: dict[str, str] | None = None, **query: Any) -> Answer:
        return await self.ask("GET", path, headers=headers, **query)

    async def ask(
        self, method: str, path: str, *, headers: dict[str, str] | None = None, **query: Any
    ) -> Answer:
        reader, writer = await self.send(method, path, headers=headers, **query)
        try:
            async with asyncio.timeout(20):
                return await read_answer(reader)
        finally:
            writer.close()
            await writer.wait_closed()

    async def send(
        self, method: str, path: str, *, headers: dict[str, str] | None = None, **query: Any
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Send only; the caller reads, or hangs up."""
        target = path + (f"?{urlencode(query)}" if query else "")
        lines = {"host": "api.test", "connection": "close", **(headers or {})}
        if self._token is not None:
            lines["authorization"] = f"Bearer {self._token}"
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        writer.write(f"{method} {target} HTTP/1.1\r\n{head}\r\n".encode())
        await writer.drain()
        return reader, writer


async def read_answer(reader: asyncio.StreamReader) -> Answer:
    status_line, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines if line)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Answer(int(status_line.split()[1]), headers, body)
