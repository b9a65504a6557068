"""When a connection may carry another request, and when not."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from services.publisher.wire.answer import Fault
from services.publisher.wire.classify import Outcome, classify
from services.publisher.wire.dial import dial
from tests.publisher.wire.hostile_receiver import OK, Peer, answers_all, listening, receiving, sending, until

if TYPE_CHECKING:
    import socket

    import pytest

    from services.publisher.wire.connection import Connection
    from tests.publisher.wire.conftest import Run


def test_a_connection_that_the_receiver_closed_while_idle_is_not_used(run: Run) -> None:
    async def scenario() -> None:
        async def closes(peer: Peer) -> None:
            await peer.request()
            peer.send(OK)

        async with receiving(closes) as receiver, sending(receiver.port) as client:
            for number in range(5):
                assert (await client.post(number)).status == 200
                await until(lambda: not client.sender._connections)
            assert len(receiver.peers) == 5

    run(scenario())


def test_a_hang_up_that_the_loop_has_not_read_is_found_by_the_probe(run: Run) -> None:
    """The receiver's FIN is in the socket, the loop had no turn to see it, and the next request is due."""

    async def scenario() -> None:
        loop = asyncio.get_running_loop()

        def serve() -> socket.socket:
            accepted, _ = listener.accept()
            accepted.recv(65536)
            accepted.sendall(OK)
            return accepted

        with listening() as listener:
            async with sending(listener.getsockname()[1], idle_probe_seconds=0) as client:
                client.hand_in("first")
                first = await loop.run_in_executor(None, serve)
                await client.answer("first")
                first.close()  # on loopback the FIN has arrived when this returns
                client.hand_in("second")
                second = await loop.run_in_executor(None, serve)
                assert (await client.answer("second")).status == 200
                second.close()

    run(scenario())


def test_the_race_with_a_closing_receiver_is_unknown_and_costs_no_second_request(run: Run) -> None:
    """The receiver closes after every answer and does not say so. Once it cost a request its certainty; after
    that every request gets a connection of its own."""

    async def scenario() -> None:
        async def closes_on_the_second(peer: Peer) -> None:
            await peer.request()
            peer.send(OK)
            await peer.read()

        async with receiving(closes_on_the_second) as receiver, sending(receiver.port) as client:
            assert (await client.post("first")).status == 200
            raced = await client.post("raced")
            assert (raced.status, raced.written) == (None, True)
            assert raced.error in {Fault.CLOSED_BEFORE_ANSWER, Fault.CONNECTION_RESET}
            assert classify(raced).outcome is Outcome.UNKNOWN
            for number in range(10):
                assert (await client.post(number)).status == 200
            assert len(receiver.peers) == 11

    run(scenario())


def test_unasked_bytes_end_the_connection_and_the_trust(run: Run) -> None:
    async def scenario() -> None:
        late = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate"

        async def sends_twice(peer: Peer) -> None:
            await peer.request()
            peer.send(OK)
            if peer.number == 0:
                await told.wait()
                peer.send(late)
            await peer.gone()

        told = asyncio.Event()
        async with receiving(sends_twice) as receiver, sending(receiver.port) as client:
            await client.post("first")
            told.set()
            await until(lambda: not client.sender._connections)
            for number in range(5):
                assert (await client.post(number)).body == b"ok"
            assert len(receiver.peers) == 6

    run(scenario())


def test_a_receiver_that_says_more_than_asked_gets_one_request_a_connection(run: Run) -> None:
    async def scenario() -> None:
        async def says_more_once(peer: Peer) -> None:
            await peer.request()
            peer.send(OK + b"more" if peer.number == 0 else OK)
            await peer.gone()

        async with receiving(says_more_once) as receiver, sending(receiver.port) as client:
            for number in range(5):
                assert (await client.post(number)).body == b"ok"
            assert len(receiver.peers) == 5

    run(scenario())


def test_the_suspicion_ends(run: Run) -> None:
    async def scenario() -> None:
        async def says_more_once(peer: Peer) -> None:
            while True:
                await peer.request()
                peer.send(OK + b"more" if peer.number == 0 else OK)

        limits: dict[str, Any] = {"distrust_seconds": 0.0}
        async with receiving(says_more_once) as receiver, sending(receiver.port, **limits) as client:
            for number in range(5):
                assert (await client.post(number)).body == b"ok"
            assert len(receiver.peers) == 2

    run(scenario())


def test_a_banner_before_the_request_is_not_an_answer(run: Run) -> None:
    async def scenario() -> None:
        async def speaks_first(peer: Peer) -> None:
            peer.send(OK)
            await peer.request()
            peer.send(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n")
            await peer.gone()

        async with receiving(speaks_first) as receiver, sending(receiver.port, connections=2) as client:
            client.hand_in("opens", may_write=lambda: False)
            await client.answer("opens")
            await until(lambda: len(receiver.peers) == 1 and not client.sender._connections)

    run(scenario())


def test_a_connection_that_is_just_going_down_is_not_used(run: Run) -> None:
    """Between an error on the socket and `connection_lost` there is a turn of the loop."""

    async def scenario() -> None:
        async with receiving(answers_all) as receiver, sending(receiver.port) as client:
            await client.post("first")
            for connection in client.sender._connections:
                connection._transport.abort()
            assert (await client.post("second")).status == 200
            assert len(receiver.peers) == 2

    run(scenario())


def test_a_connection_lost_while_its_dial_returns_is_not_used(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        async def dial_and_lose(*args: Any) -> Connection:
            connection = await dial(*args)
            connection._transport.abort()
            await until(lambda: not connection.free)
            return connection

        monkeypatch.setattr("services.publisher.wire.sender.dial", dial_and_lose)
        async with receiving(answers_all) as receiver, sending(receiver.port) as client:
            assert (await client.post("first"))[:3] == (None, Fault.CONNECT_FAILED, False)
            monkeypatch.undo()
            assert (await client.post("second")).status == 200

    run(scenario())
