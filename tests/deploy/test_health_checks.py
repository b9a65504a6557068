"""The health checks of the containers, run as there: deploy/ready.py, deploy/kafka-ready.sh."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from typing import TYPE_CHECKING

import pytest

from liancheng.embedded.ports import free_port
from tests.deploy.compose_file import ROOT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

READY = [sys.executable, "-IS", str(ROOT / "deploy" / "ready.py")]
KAFKA_READY = ["bash", str(ROOT / "deploy" / "kafka-ready.sh")]
pytestmark = pytest.mark.asyncio


async def outcome(command: list[str], port: int) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *command, str(port), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode()


@contextlib.asynccontextmanager
async def server(answer: bytes) -> AsyncIterator[tuple[int, list[bytes]]]:
    """Answers one read with `answer`, and closes; the port, and what was asked."""
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.read(1000))
        writer.write(answer)
        await writer.drain()
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listening:
        yield listening.sockets[0].getsockname()[1], asked


@pytest.mark.parametrize(
    ("status", "code"), [("200 OK", 0), ("503 Service Unavailable", 1), ("302 Found", 1)]
)
async def test_a_service_is_ready_if_it_says_so_and_its_reasons_are_shown(status: str, code: int) -> None:
    body = '{"problems":["没有分区"]}'.encode()
    head = f"HTTP/1.1 {status}\r\nlocation: /\r\ncontent-length: {len(body)}\r\n\r\n"
    async with server(head.encode() + body) as (port, asked):
        assert await outcome(READY, port) == (code, f"{status[:3]} {body.decode()}\n")
        assert asked[0].startswith(b"GET /readyz HTTP/1.1\r\n")


@pytest.mark.parametrize("command", [READY, KAFKA_READY], ids=["service", "Kafka"])
async def test_where_nobody_listens_nothing_is_ready(command: list[str]) -> None:
    code, _ = await outcome(command, free_port())
    assert code == 1


async def test_a_hang_up_is_no_readiness() -> None:
    async with server(b"") as (port, _):
        assert (await outcome(READY, port))[0] == 1
    async with server(b"") as (port, _):
        assert (await outcome(KAFKA_READY, port))[0] != 0


@pytest.mark.parametrize(("brokers", "code"), [(1, 0), (3, 0), (0, 1)])
async def test_kafka_is_ready_when_a_broker_is_in_the_cluster(brokers: int, code: int) -> None:
    answer = bytes.fromhex("00000020 00000001") + brokers.to_bytes(4, "big") + bytes(24)
    async with server(answer) as (port, _):
        assert await outcome(KAFKA_READY, port) == (code, f"brokers: {brokers}\n")


async def test_a_real_kafka_understands_the_question(kafka_server: str) -> None:
    port = int(kafka_server.rpartition(":")[2])
    assert await outcome(KAFKA_READY, port) == (0, "brokers: 1\n")
