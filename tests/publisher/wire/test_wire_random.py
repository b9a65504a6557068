"""Hypothesis against the whole sender over real sockets: no hang, no mix-up, no write denied."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.publisher.wire.answer import Answer, Fault
from services.publisher.wire.classify import Outcome, classify
from tests.publisher.wire.hostile_receiver import OK, Peer, receiving, sending

if TYPE_CHECKING:
    from tests.publisher.wire.conftest import Run

over_sockets = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

LIVELY: dict[str, Any] = {"first_byte_seconds": 0.1, "whole_seconds": 0.2, "sweep_seconds": 0.01}

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n"
ENDINGS = st.sampled_from(["close", "half-close", "reset", "keep"])
GARBAGE = st.one_of(
    st.binary(max_size=300),
    st.binary(max_size=300).map(lambda tail: b"HTTP/1.1 200 OK\r\n" + tail),
    st.binary(max_size=300).map(lambda tail: b"HTTP/1.1 503 No\r\nContent-Length: 5\r\n\r\n" + tail),
    st.binary(max_size=300).map(lambda tail: b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + tail),
)


def end(peer: Peer, ending: str) -> None:
    if ending == "close":
        peer.close()
    elif ending == "half-close":
        peer.half_close()
    elif ending == "reset":
        peer.reset()


@over_sockets
@given(garbage=GARBAGE, ending=ENDINGS, before_request=st.booleans(), size=st.integers(1, 64))
def test_any_bytes_and_any_ending_end_the_request(
    run: Run, garbage: bytes, ending: str, before_request: bool, size: int
) -> None:
    async def script(peer: Peer) -> None:
        if not before_request:
            await peer.request()
        await peer.drip(garbage, size)
        end(peer, ending)
        await peer.gone()

    async def scenario() -> tuple[Answer, bytes]:
        async with receiving(script) as receiver, sending(receiver.port, **LIVELY) as client:
            answer = await client.post()
            await client.sender.close(0)
            return answer, receiver.received

    answer, received = run(scenario())
    assert answer.written or not received
    if answer.error is None:
        # Hypothesis does find real answers; what they say, test_wire_reader.py compares with another parser.
        assert re.search(rb"^HTTP/1\.[01] %d[ \r]" % (answer.status or 0), garbage, re.MULTILINE)
    elif received:
        assert classify(answer).outcome is Outcome.UNKNOWN


@over_sockets
@given(
    cut=st.integers(0, 10_000),
    ending=st.sampled_from(["close", "half-close", "reset"]),
    size=st.integers(1, 64),
)
def test_an_answer_that_ends_too_early_is_unknown(run: Run, cut: int, ending: str, size: int) -> None:
    whole = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n"
    part = whole[: cut % len(whole)]

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.drip(part, size)
        end(peer, ending)
        await peer.gone()

    async def scenario() -> Answer:
        async with receiving(script) as receiver, sending(receiver.port, **LIVELY) as client:
            return await client.post()

    answer = run(scenario())
    assert classify(answer).outcome is Outcome.UNKNOWN
    expected = {Fault.CONNECTION_RESET} if ending == "reset" else set()
    expected.add(Fault.ANSWER_TRUNCATED if part else Fault.CLOSED_BEFORE_ANSWER)
    assert answer.error in expected


@over_sockets
@given(
    plan=st.lists(
        st.sampled_from(
            ["ok", "error", "chunked", "interim", "garbage behind", "truncate", "reset", "close"]
        ),
        min_size=1,
        max_size=12,
    ),
    connections=st.integers(1, 4),
)
def test_an_answer_is_never_given_to_another_request(run: Run, plan: list[str], connections: int) -> None:
    """Every body names its request; a request accepted must have been answered with its own name."""

    async def script(peer: Peer) -> None:
        while True:
            name = await peer.request()
            kind = plan[int(name)]
            answer = b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%b" % (
                500 if kind == "error" else 200,
                len(name) + (kind == "truncate"),
                name,
            )
            if kind == "interim":
                answer = b"HTTP/1.1 100 Continue\r\n\r\n" + answer
            elif kind == "chunked":
                answer = CHUNKED % (len(name), name)
            elif kind == "garbage behind":
                answer += OK  # in one segment: a later one could not be told from the next request's answer
            if kind == "reset":
                peer.reset()
                return
            peer.send(answer)
            if kind in {"truncate", "close"}:
                return

    async def scenario() -> dict[object, Answer]:
        async with (
            receiving(script) as receiver,
            sending(receiver.port, connections=connections, **LIVELY) as client,
        ):
            left = iter(range(len(plan)))

            def pump(_: object) -> None:
                while client.sender.free():
                    number = next(left, None)
                    if number is None:
                        return
                    client.hand_in(number, b"%d" % number)

            client.after = pump
            pump(None)
            await asyncio.wait([asyncio.ensure_future(client.answer(number)) for number in range(len(plan))])
            return client.answers

    answers = run(scenario())
    for number, kind in enumerate(plan):
        answer = answers[number]
        if answer.error is None:
            assert answer.status == (500 if kind == "error" else 200)
            assert answer.body == b"%d" % number
        assert kind not in {"truncate", "reset"} or answer.error is not None
    assert len(answers) == len(plan)
