"""Time-outs, all of them enforced by one sweep: no receiver holds a request longer than its settings say."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from services.publisher.wire.answer import Answer, Fault
from tests.publisher.wire.hostile_receiver import OK, Peer, black_hole, listening, receiving, sending

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.publisher.wire.conftest import Run

SLACK_SECONDS = 2.0  # a shared machine, not the sender


async def silence(peer: Peer) -> None:
    await peer.gone()


async def silence_after_the_request(peer: Peer) -> None:
    await peer.request()
    await peer.gone()


async def stops_in_the_head(peer: Peer) -> None:
    await peer.request()
    peer.send(b"HTTP/1.1 200 OK\r\nContent-")
    await peer.gone()


async def stops_in_the_body(peer: Peer) -> None:
    await peer.request()
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok")
    await peer.gone()


async def never_closes(peer: Peer) -> None:
    await peer.request()
    peer.send(b"HTTP/1.1 200 OK\r\n\r\nno length, no end")
    await peer.gone()


async def only_interim(peer: Peer) -> None:
    await peer.request()
    peer.send(b"HTTP/1.1 102 Processing\r\n\r\n")
    await peer.gone()


async def trickles(peer: Peer) -> None:
    """A byte whenever the loop turns: never silent, never done."""
    await peer.request()
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n")
    while not peer.at_end():
        peer.send(b"x")
        await asyncio.sleep(0.01)


def timed_post(run: Run, script: Callable[[Peer], Awaitable[None]], **limits: Any) -> tuple[Answer, float]:
    async def scenario() -> tuple[Answer, float]:
        async with receiving(script) as receiver, sending(receiver.port, **limits) as client:
            started = time.monotonic()
            answer = await client.post()
            return answer, time.monotonic() - started

    return run(scenario())


@pytest.mark.parametrize("script", [silence, silence_after_the_request])
def test_silence_ends_at_the_first_byte_limit(run: Run, script: Callable[[Peer], Awaitable[None]]) -> None:
    answer, took = timed_post(run, script, first_byte_seconds=0.2, whole_seconds=10)
    assert answer[:3] == (None, Fault.RESPONSE_TIMEOUT, True)
    assert 0.2 <= took < 0.2 + SLACK_SECONDS


@pytest.mark.parametrize(
    ("script", "status"),
    [
        (stops_in_the_head, None),
        (stops_in_the_body, 200),
        (never_closes, 200),
        (only_interim, None),
        (trickles, 200),
    ],
)
def test_half_an_answer_ends_at_the_whole_limit(
    run: Run, script: Callable[[Peer], Awaitable[None]], status: int | None
) -> None:
    answer, took = timed_post(run, script, first_byte_seconds=0.2, whole_seconds=0.4)
    assert answer[:3] == (status, Fault.ANSWER_TIMEOUT, True)
    assert 0.4 <= took < 0.4 + SLACK_SECONDS


def test_the_whole_limit_holds_although_nothing_came_when_it_is_the_first_byte_limit(run: Run) -> None:
    async def scenario() -> Answer:
        limits: dict[str, Any] = {"first_byte_seconds": 0.2, "whole_seconds": 0.2}
        async with receiving(silence) as receiver, sending(receiver.port, **limits) as client:
            return await client.post()

    assert run(scenario()).error == Fault.RESPONSE_TIMEOUT


def test_a_receiver_that_does_not_read_the_request_is_given_up(run: Run) -> None:
    async def deaf(peer: Peer) -> None:
        await asyncio.Event().wait()

    async def scenario() -> Answer:
        limits: dict[str, Any] = {"first_byte_seconds": 0.2, "whole_seconds": 0.4}
        async with receiving(deaf) as receiver, sending(receiver.port, **limits) as client:
            return await client.post(body=b"x" * 50_000_000)

    answer = run(scenario())
    assert (answer.error, answer.written) == (Fault.RESPONSE_TIMEOUT, True)


def test_an_answer_that_came_while_the_loop_was_held_up_is_taken(run: Run) -> None:
    """As after SIGSTOP: all time-outs have passed, and the answer lies unread in the socket.

    The loop is held up from inside its poll phase, where a stopped process is most of the time: libuv then
    runs its timers before it reads again.
    """

    async def scenario() -> Answer:
        loop = asyncio.get_running_loop()
        may_answer = threading.Event()

        def answer_in_time() -> None:
            accepted, _ = listener.accept()
            with accepted:
                accepted.recv(65536)
                near.send(b"!")
                may_answer.wait(5)
                accepted.sendall(OK)
                accepted.recv(65536)

        def hold_up() -> None:
            far.recv(1)
            may_answer.set()
            time.sleep(0.5)

        with listening() as listener:
            near, far = socket.socketpair()
            far.setblocking(False)
            loop.add_reader(far, hold_up)
            answering = loop.run_in_executor(None, answer_in_time)
            limits: dict[str, Any] = {"first_byte_seconds": 0.2, "whole_seconds": 0.4}
            async with sending(listener.getsockname()[1], **limits) as client:
                answer = await client.post()
            await answering
            loop.remove_reader(far)
            near.close()
            far.close()
            return answer

    assert run(scenario()).status == 200


def test_an_idle_connection_is_closed(run: Run) -> None:
    async def scenario() -> None:
        gone = asyncio.Event()

        async def script(peer: Peer) -> None:
            await peer.request()
            peer.send(OK)
            await peer.gone()
            gone.set()

        async with receiving(script) as receiver, sending(receiver.port, idle_seconds=0.1) as client:
            await client.post()
            await gone.wait()

    run(scenario())


@pytest.mark.parametrize("hint", [b"timeout=1", b"max=100, Timeout=1"])
def test_the_receivers_own_keep_alive_time_is_undercut(run: Run, hint: bytes) -> None:
    async def scenario() -> None:
        gone = asyncio.Event()

        async def script(peer: Peer) -> None:
            await peer.request()
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nKeep-Alive: %b\r\n\r\n" % hint)
            await peer.gone()
            gone.set()

        async with receiving(script) as receiver, sending(receiver.port, idle_seconds=3600) as client:
            await client.post()
            await gone.wait()

    run(scenario())


def test_a_connection_does_not_grow_old(run: Run) -> None:
    async def scenario() -> int:
        async def script(peer: Peer) -> None:
            while True:
                await peer.request()
                peer.send(OK)

        async with receiving(script) as receiver, sending(receiver.port, max_age_seconds=0.1) as client:
            started, posted = time.monotonic(), 0
            while time.monotonic() - started < 0.35:
                assert (await client.post(posted)).status == 200
                posted += 1
            return len(receiver.peers)

    assert run(scenario()) >= 3


def test_a_connect_into_the_void_times_out(run: Run) -> None:
    async def scenario() -> tuple[Answer, float]:
        with black_hole("127.0.0.1", 0) as port:
            async with sending(port, connect_seconds=0.3) as client:
                started = time.monotonic()
                answer = await client.post()
                return answer, time.monotonic() - started

    answer, took = run(scenario())
    assert (answer.error, answer.written) == (Fault.CONNECT_TIMEOUT, False)
    assert took < 0.3 + SLACK_SECONDS
