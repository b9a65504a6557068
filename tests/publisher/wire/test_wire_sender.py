"""The sender as the dispatcher sees it: places, fencing, reuse and draining."""

from __future__ import annotations

import asyncio
import socket
import threading
from typing import TYPE_CHECKING, Any

import pytest

from services.publisher.wire.addresses import Address, Resolver
from services.publisher.wire.answer import Answer, Fault
from services.publisher.wire.classify import Outcome, Verdict, classify
from tests.publisher.wire.hostile_receiver import (
    OK,
    Peer,
    answers_all,
    receiving,
    sending,
    until,
    wire_limits,
)

if TYPE_CHECKING:
    from tests.publisher.wire.conftest import Run


async def silent(peer: Peer) -> None:
    await peer.gone()


def closed_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def test_connections_are_opened_when_needed_and_used_again(run: Run) -> None:
    async def scenario() -> None:
        async with receiving(answers_all) as receiver, sending(receiver.port, connections=4) as client:
            assert client.sender.free() == 4
            for number in range(50):
                assert (await client.post(number)).status == 200
            assert len(receiver.peers) == 1
            for number in range(50, 54):
                client.hand_in(number)
            assert client.sender.free() == 0
            with pytest.raises(RuntimeError):
                client.hand_in("one too many")
            await until(lambda: len(client.answers) == 54)
            assert client.sender.free() == 4
            assert len(receiver.peers) <= 4

    run(scenario())


def test_every_request_gets_its_own_answer(run: Run) -> None:
    """Many at once, each handed in from the answer of another, the answers cut at odd places."""

    async def script(peer: Peer) -> None:
        while True:
            body = await peer.request()
            answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (
                len(body),
                body,
            )
            await peer.drip(answer, 1 + (peer.requests * 7) % 60)

    async def scenario() -> None:
        async with receiving(script) as receiver, sending(receiver.port, connections=8) as client:
            left = iter(range(8, 400))

            def relay(_: object) -> None:
                following = next(left, None)
                if following is not None:
                    client.hand_in(following, b"body of %d" % following)

            client.after = relay
            for number in range(8):
                client.hand_in(number, b"body of %d" % number)
            await until(lambda: len(client.answers) == 400)
            assert len(receiver.peers) == 8
        for token, answer in client.answers.items():
            assert (answer.status, answer.body) == (200, f"body of {token}".encode())

    run(scenario())


def test_no_more_connections_than_allowed_even_when_a_dial_is_left_over(run: Run) -> None:
    """A request waits for a dial, gets a freed connection instead, and another request comes meanwhile."""

    async def scenario() -> None:
        found, slow = threading.Event(), threading.Event()

        def slowly(_: str, port: int) -> list[Address]:
            if slow.is_set():
                found.wait(5)
            return [Address(socket.AF_INET, ("127.0.0.1", port))]

        async def script(peer: Peer) -> None:
            while True:
                body = await peer.request()
                if body == b"hold":
                    await may_answer.wait()
                peer.send(OK)

        may_answer = asyncio.Event()
        limits: dict[str, Any] = {"connections": 2, "resolve_cache_seconds": 0}
        options = {"resolver": Resolver(wire_limits(**limits), slowly)}
        async with receiving(script) as receiver:
            url = f"http://slow.example:{receiver.port}/"
            async with sending(0, url=url, options=options, **limits) as client:
                await client.post("opens the first")
                slow.set()
                client.hand_in("held", b"hold")
                client.hand_in("waits for the second")
                may_answer.set()
                await client.answer("waits for the second")  # over the first: the second is still dialled
                client.hand_in("on the first")
                client.hand_in("waits")
                assert len(client.sender._dials) == 1
                found.set()
                await client.answer("waits")
            assert len(receiver.peers) <= 2

    run(scenario())


def test_a_refused_connect_ends_one_request_each(run: Run) -> None:
    async def scenario() -> None:
        async with sending(closed_port(), connections=4) as client:
            for number in range(4):
                client.hand_in(number)
            await until(lambda: len(client.answers) == 4)
            for answer in client.answers.values():
                assert answer[:5] == (None, Fault.CONNECT_REFUSED, False, None, None)
                assert classify(answer) == Verdict(Outcome.RETRYABLE, "CONNECT_REFUSED")
            assert client.sender.free() == 4

    run(scenario())


def test_a_receiver_that_hangs_up_at_once_is_no_hang(run: Run) -> None:
    async def hangs_up(peer: Peer) -> None:
        peer.reset()

    async def scenario() -> Answer:
        async with receiving(hangs_up) as receiver, sending(receiver.port) as client:
            answer = await client.post()
            assert answer.written or not receiver.received
            return answer

    assert run(scenario()).error in {Fault.CONNECTION_RESET, Fault.CONNECT_FAILED}


def test_a_fenced_request_is_not_written(run: Run) -> None:
    """On a new connection and on a free one; and the place is free again for what may be written."""

    async def scenario() -> None:
        async with receiving(answers_all) as receiver, sending(receiver.port) as client:
            for token in ("while it waits for a connection", "on a free connection"):
                client.hand_in(token, may_write=lambda: False)
                assert token not in client.answers  # never from inside `send`
                answer = await client.answer(token)
                assert answer[:5] == (None, Fault.FENCED, False, None, None)
            assert receiver.received == b""
            assert (await client.post("allowed")).status == 200
            assert [peer.requests for peer in receiver.peers] == [1]

    run(scenario())


def test_may_write_is_asked_right_before_the_write(run: Run) -> None:
    """Not when the request is handed in: the lease may end while the connection is made."""

    async def scenario() -> None:
        lease = iter([True, False])
        async with receiving(answers_all) as receiver, sending(receiver.port) as client:
            client.hand_in("first", may_write=lambda: next(lease))
            assert next(lease)  # the first True is still there: nobody asked in `send`
            assert (await client.answer("first")).error == Fault.FENCED
            assert receiver.received == b""

    run(scenario())


def test_a_freed_connection_serves_what_waits_for_a_new_one(run: Run) -> None:
    """The second connection is never accepted into service; the first one takes both requests."""

    async def scenario() -> None:
        async with receiving(answers_all) as receiver, sending(receiver.port, connections=2) as client:
            await client.post("opens the first")
            client.hand_in("a")
            client.hand_in("b")
            await until(lambda: {"a", "b"} <= client.answers.keys())
            assert client.answers["a"].status == client.answers["b"].status == 200
            assert len(receiver.peers) <= 2

    run(scenario())


def test_close_waits_for_what_is_in_flight(run: Run) -> None:
    async def scenario() -> None:
        closing = asyncio.Event()

        async def answers_late(peer: Peer) -> None:
            while True:
                await peer.request()
                await closing.wait()
                peer.send(OK)

        async with receiving(answers_late) as receiver, sending(receiver.port, connections=2) as client:
            client.hand_in("written")
            await until(lambda: receiver.received != b"")
            client.hand_in("waits for its connection")
            task = asyncio.create_task(client.sender.close(grace_seconds=10))
            await asyncio.sleep(0)
            assert client.sender.free() == 0
            with pytest.raises(RuntimeError):
                client.hand_in("too late")
            closing.set()
            await task
            assert [answer.status for answer in client.answers.values()] == [200, 200]
            assert not client.sender._connections

    run(scenario())


def test_close_ends_what_outlasts_the_grace(run: Run) -> None:
    async def scenario() -> None:
        async with receiving(silent) as receiver, sending(receiver.port, connections=2) as client:
            client.hand_in("written")
            await until(lambda: receiver.received != b"")
            client.hand_in("not yet written")
            await client.sender.close(grace_seconds=0)
            assert client.answers["written"][:3] == (None, Fault.SENDER_CLOSED, True)
            assert client.answers["not yet written"][:3] == (None, Fault.SENDER_CLOSED, False)
            await client.sender.close(grace_seconds=0)

    run(scenario())
