"""What a request costs the loop, and what a callback that raises costs the others."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVarTuple

from tests.publisher.wire.hostile_receiver import OK, Peer, receiving, sending, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextvars import Context

    from tests.publisher.wire.conftest import Run

Ts = TypeVarTuple("Ts")


async def silent(peer: Peer) -> None:
    await peer.gone()


def test_a_callback_that_raises_stops_no_time_out(run: Run) -> None:
    """The loop hears of it; the other requests end all the same."""

    async def scenario() -> None:
        complaints: list[dict[str, Any]] = []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: complaints.append(context))
        limits: dict[str, Any] = {"first_byte_seconds": 0.1, "whole_seconds": 0.1}
        async with receiving(silent) as receiver, sending(receiver.port, connections=3, **limits) as client:

            def raises(token: object) -> None:
                raise LookupError(token)

            client.after = raises
            for number in range(3):
                client.hand_in(number)
            await until(lambda: len(client.answers) == 3)
        assert [type(context["exception"]) for context in complaints] == [LookupError] * 3

    run(scenario())


def test_a_request_costs_no_task_no_future_and_no_timer() -> None:
    class CountingLoop(asyncio.SelectorEventLoop):
        made = 0

        def create_task(self, *args: Any, **kwargs: Any) -> Any:
            self.made += 1
            return super().create_task(*args, **kwargs)

        def create_future(self) -> Any:
            self.made += 1
            return super().create_future()

        def call_at(
            self, when: float, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
        ) -> asyncio.TimerHandle:
            self.made += 1
            return super().call_at(when, callback, *args, context=context)

    class Echo(asyncio.Protocol):
        """Unlike a stream reader, it makes no futures either."""

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            assert isinstance(transport, asyncio.Transport)
            self.transport = transport

        def data_received(self, _: bytes) -> None:
            self.transport.write(OK)

    async def scenario() -> int:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, CountingLoop)
        server = await loop.create_server(Echo, "127.0.0.1", 0)
        async with sending(server.sockets[0].getsockname()[1], sweep_seconds=60) as client:
            await client.post("opens")
            done = asyncio.Event()
            numbers: Iterator[int] = iter(range(1000))

            def relay(_: object) -> None:
                number = next(numbers, None)
                if number is None:
                    done.set()
                else:
                    client.hand_in(number)

            client.after = relay
            waiter = asyncio.create_task(done.wait())
            await asyncio.sleep(0)
            before = loop.made
            client.hand_in("first")
            await waiter
            made = loop.made - before
            assert [answer.status for answer in client.answers.values()] == [200] * 1002
        server.close()
        return made

    with asyncio.Runner(loop_factory=CountingLoop) as runner:
        assert runner.run(asyncio.wait_for(scenario(), 20)) <= 1
