"""The answer reader alone, byte for byte: every split, every cut, every kind of damage."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from itertools import pairwise

import h11
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from services.publisher.wire.answer import Fault
from services.publisher.wire.answer_reader import AnswerReader
from services.publisher.wire.limits import WireLimits

unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


LIMITS = WireLimits()


@dataclass(frozen=True)
class Reading:
    """What the reader makes of some bytes, and, if `ended`, of the receiver's end after them."""

    done: bool
    fault: Fault | None
    status: int | None
    body: bytes
    reusable: bool


def read(pieces: list[bytes], *, ended: bool = True, limits: WireLimits = LIMITS) -> Reading:
    reader = AnswerReader(limits)
    done = False
    for piece in pieces:
        done = reader.feed(piece)
        if done:
            break
    if not done and ended:
        reader.end(orderly=True)
        done = True
    return Reading(done, reader.fault, reader.status, reader.body()[0], reader.reusable)


def split(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted({cut % len(data) for cut in cuts} - {0}), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


@dataclass(frozen=True)
class WellFormed:
    """An answer and what it says. `head`: where its head ends. `sized`: its end shows without a close."""

    data: bytes
    status: int
    body: bytes
    sized: bool
    head: int


TOKEN = st.text("abcXYZ-_019", min_size=1, max_size=9)
VALUE = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=20)


@st.composite
def answers(draw: st.DrawFn) -> WellFormed:
    status = draw(st.sampled_from([200, 201, 202, 204, 304, 302, 400, 408, 410, 413, 429, 500, 503, 599]))
    body = b"" if status in {204, 304} else draw(st.binary(max_size=40))
    framing = draw(st.sampled_from(["length", "chunked", "close"]))
    interim = b"".join(
        b"HTTP/1.1 %d Interim\r\n%b\r\n" % (code, draw(st.sampled_from([b"", b"Link: </x>\r\n"])))
        for code in draw(st.lists(st.sampled_from([100, 102, 103]), max_size=3))
    )
    lines = [f"X-{name}: {value}" for name, value in draw(st.lists(st.tuples(TOKEN, VALUE), max_size=3))]
    payload = body
    if framing == "length":
        lines.append(f"{draw(st.sampled_from(['Content-Length', 'content-LENGTH']))}: {len(body)}")
    elif framing == "chunked":
        lines.append("Transfer-Encoding: chunked")
        size = draw(st.integers(1, 9))
        chunks = [body[start : start + size] for start in range(0, len(body), size)]
        payload = b"".join(b"%X\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
        if status in {204, 304}:
            payload = b""
    draw(st.randoms(use_true_random=False)).shuffle(lines)
    reason = draw(st.sampled_from([" OK", " Not Quite", " ", ""]))
    head = f"HTTP/1.1 {status}{reason}\r\n" + "".join(f"{line}\r\n" for line in lines) + "\r\n"
    data = interim + head.encode()
    return WellFormed(data + payload, status, body, framing != "close" or status in {204, 304}, len(data))


CUTS = st.lists(st.integers(0, 10_000), max_size=8)


@unhurried
@given(answers(), CUTS)
def test_a_well_formed_answer_reads_the_same_at_every_split(answer: WellFormed, cuts: list[int]) -> None:
    expected = Reading(True, None, answer.status, answer.body, answer.sized)
    assert read([answer.data], ended=not answer.sized) == expected
    assert read(split(answer.data, cuts), ended=not answer.sized) == expected
    assert read([bytes([byte]) for byte in answer.data], ended=not answer.sized) == expected


@unhurried
@given(answers(), st.integers(0, 10_000), CUTS)
def test_an_answer_cut_off_is_never_whole(answer: WellFormed, cut: int, cuts: list[int]) -> None:
    """Save one that says no length: its cut can't be seen, which is why only an orderly end counts for it."""
    part = answer.data[: cut % len(answer.data)]
    reading = read(split(part, cuts) if part else [])
    if not answer.sized and len(part) >= answer.head:
        assert (reading.fault, reading.status) == (None, answer.status)
        assert answer.body.startswith(reading.body)
    else:
        assert reading.fault == (Fault.ANSWER_TRUNCATED if part else Fault.CLOSED_BEFORE_ANSWER)
    assert not reading.reusable


@unhurried
@given(answers(), answers(), st.binary(min_size=1, max_size=30), CUTS)
def test_what_follows_an_answer_never_changes_it(
    answer: WellFormed, second: WellFormed, garbage: bytes, cuts: list[int]
) -> None:
    if not answer.sized:
        return
    for surplus in (second.data, garbage):
        reading = read([answer.data + surplus], ended=False)
        assert (reading.fault, reading.status, reading.body) == (None, answer.status, answer.body)
        assert not reading.reusable or not surplus.strip(b"\r\n")
        reading = read(split(answer.data + surplus, cuts), ended=False)
        assert (reading.fault, reading.status, reading.body) == (None, answer.status, answer.body)


@unhurried
@given(st.lists(answers(), min_size=1, max_size=5), CUTS)
def test_one_answer_after_the_other_on_one_reader(many: list[WellFormed], cuts: list[int]) -> None:
    reader = AnswerReader(LIMITS)
    for answer in many:
        if not answer.sized:
            continue
        reader.start()
        ended = [reader.feed(piece) for piece in split(answer.data, cuts)]
        assert ended == [False] * (len(ended) - 1) + [True]
        assert (reader.fault, reader.status, reader.reusable) == (None, answer.status, True)
        assert reader.body() == (answer.body, hashlib.sha256(answer.body).digest())


def h11_reads(data: bytes) -> tuple[int, bytes]:
    """Status and body by h11, the parser under httpx; raises h11.RemoteProtocolError for no whole answer."""
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=1_000_000)
    connection.send(h11.Request(method="POST", target="/", headers=[("host", "x"), ("content-length", "0")]))
    connection.send(h11.EndOfMessage())
    connection.receive_data(data)
    connection.receive_data(b"")
    status, body = 0, b""
    while True:
        event = connection.next_event()
        if isinstance(event, h11.Response):
            status = event.status_code
        elif isinstance(event, h11.Data):
            body += event.data
        elif isinstance(event, h11.EndOfMessage):
            return status, body
        elif not isinstance(event, h11.InformationalResponse):
            raise h11.RemoteProtocolError(f"unexpected {event!r}")


REASON = re.compile(rb"^(HTTP/1\.[01] [0-9]{3} )([^\r\n]*)", re.MULTILINE)


BLANK_LINES = re.compile(rb"(\r\n\r\n)[\r\n]+(?=HTTP/1)")


def blank(data: bytes) -> bytes:
    """Without what h11 judges and llhttp passes over: reason phrases, blank lines behind interim answers."""
    return BLANK_LINES.sub(rb"\1", REASON.sub(lambda found: found[1] + b"x" * len(found[2]), data))


DAMAGE = st.lists(
    st.tuples(
        st.sampled_from(["replace", "insert", "delete", "repeat"]),
        st.integers(0, 10_000),
        st.sampled_from(
            [b"\r", b"\n", b"\r\n", b" ", b"0", b"9", b"\0", b":", b";", b",", b"\x80", b"A", b"1"]
        ),
    ),
    min_size=1,
    max_size=3,
)


def damaged(data: bytes, damage: list[tuple[str, int, bytes]]) -> bytes:
    for kind, at, new in damage:
        place = at % (len(data) + 1)
        kept = place + (kind in {"replace", "delete"})
        middle = {"replace": new, "insert": new, "delete": b"", "repeat": data[place : place + 8]}[kind]
        data = data[:place] + middle + data[kept:]
    return data


@unhurried
@given(answers(), DAMAGE, CUTS)
def test_a_damaged_answer_is_never_taken_for_another(
    answer: WellFormed, damage: list[tuple[str, int, bytes]], cuts: list[int]
) -> None:
    """What we take for whole, a well-kept parser reads just so. (It may take more: it repairs, we refuse.)"""
    data = damaged(answer.data, damage)
    if not data:
        return
    reading = read(split(data, cuts))
    assert reading.done
    if reading.fault is None:
        assert (reading.status, blank(reading.body)) == h11_reads(blank(data))


@unhurried
@given(st.binary(max_size=200), CUTS)
@example(b"HTTP/1.1 200 OK", [])
@example(b"\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", [])
def test_random_bytes_are_no_answer_unless_to_another_parser_too(data: bytes, cuts: list[int]) -> None:
    reading = read(split(data, cuts) if data else [])
    if reading.fault is None:
        assert (reading.status, blank(reading.body)) == h11_reads(blank(data))


REFUSED = [
    b"RTSP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
    b"ICE/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/0.9 200 OK\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.2 200 OK\r\nContent-Length: 0\r\n\r\n",
    b"http/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 042 OK\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 099 No\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 OK\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\nx",
    b"HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\n\r\nx",
    b"HTTP/1.1 200 OK\r\nContent-Length: 0x1\r\n\r\nx",
    b"HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\nx\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nxx\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 3\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nFolded: a\r\n b\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nNul: \0\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTwo words: x\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 199 Odd\r\nContent-Length: 2\r\n\r\nxxHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\n\x15\x03\x01",
]


@pytest.mark.parametrize("data", REFUSED, ids=repr)
def test_what_is_not_quite_http_is_refused(data: bytes) -> None:
    for pieces in ([data], [bytes([byte]) for byte in data]):
        assert read(pieces).fault in {Fault.BAD_ANSWER, Fault.ANSWER_TRUNCATED}


@pytest.mark.parametrize("framed", [b"Content-Length: 0\r\n", b""])
def test_an_interim_answer_may_carry_a_length_and_means_nothing_by_it(framed: bytes) -> None:
    """Seen of 100 Continue in the field. The length is not the final answer's."""
    reading = read([b"HTTP/1.1 100 Continue\r\n" + framed + b"\r\nHTTP/1.1 200 OK\r\n\r\nbody"])
    assert (reading.fault, reading.status, reading.body) == (None, 200, b"body")


def test_limits_hold_to_the_byte() -> None:
    limits = WireLimits(max_body_bytes=10, max_head_bytes=256, max_headers=2, max_interim=1)
    length = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"
    assert read([length % 10 + b"x" * 10], limits=limits).fault is None
    assert read([length % 11 + b"x" * 11], limits=limits).fault is Fault.BODY_TOO_LARGE
    assert read([b"HTTP/1.1 200 OK\r\nA: 1\r\nContent-Length: 0\r\n\r\n"], limits=limits).fault is None
    assert read([b"HTTP/1.1 200 OK\r\nA: 1\r\nB: 2\r\nContent-Length: 0\r\n\r\n"], limits=limits).fault is (
        Fault.HEAD_TOO_LARGE
    )
    filler = (
        b"HTTP/1.1 200 OK\r\nA: %b\r\nContent-Length: 0\r\n\r\n"  # 5 and 19 bytes of headers beside the value
    )
    assert read([filler % (b"x" * 232)], limits=limits).fault is None
    assert read([filler % (b"x" * 233)], limits=limits).fault is Fault.HEAD_TOO_LARGE
    interim = b"HTTP/1.1 100 Continue\r\n\r\n"
    assert read([interim + length % 0], limits=limits).fault is None
    assert read([interim * 2 + length % 0], limits=limits).fault is Fault.BAD_ANSWER
