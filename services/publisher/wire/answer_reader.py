"""Reads one HTTP/1 answer after another from bytes. No I/O, no clock.

llhttp (by httptools) does the grammar, strictly. What it leaves open is settled here: which bytes belong to
which answer, when an answer without length ends, what an interim answer may carry, and how large anything may
get.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

import httptools

from services.publisher.wire.answer import Fault

if TYPE_CHECKING:
    from services.publisher.wire.limits import WireLimits

_OPENING: Final = b"HTTP/1."
_WATCHED: Final = frozenset(
    map(len, (b"content-length", b"transfer-encoding", b"retry-after", b"keep-alive"))
)
_FIRST_STATUS: Final = 100
_SWITCHING_PROTOCOLS: Final = 101
_LAST_KNOWN_INTERIM: Final = 103
_FIRST_FINAL: Final = 200
_LINE_OVERHEAD: Final = 4  # ": " and the line's end
_CHUNK_OVERHEAD: Final = 8  # a one-byte chunk takes six bytes, an endless chunk extension any number

_sha256_of_nothing: Final = hashlib.sha256()
"""Copied instead of calling the constructor, which looks the algorithm up each time: half the price."""


class _Stop(Exception):  # noqa: N818  not an error: ends the parser's run through the bytes
    pass


class AnswerReader:
    """`start()`, then `feed()` until it is True, or `end()`; then the attributes and `body()` hold.

    `fault` is None for a whole final answer. `status` may be known beside a fault. `reusable` says whether
    the connection may carry another request: framing known, keep-alive, and not one byte beyond the answer
    (`surplus` says that there was one).
    """

    __slots__ = (
        "_body",
        "_body_bytes",
        "_framed",
        "_head_bytes",
        "_head_done",
        "_headers",
        "_interim",
        "_max_body",
        "_max_head",
        "_max_headers",
        "_max_interim",
        "_opening",
        "_parser",
        "fault",
        "keep_alive_seconds",
        "received",
        "retry_after",
        "reusable",
        "status",
        "surplus",
        "whole",
    )

    def __init__(self, limits: WireLimits) -> None:
        self._max_body = limits.max_body_bytes
        self._max_head = limits.max_head_bytes
        self._max_headers = limits.max_headers
        self._max_interim = limits.max_interim
        self._parser = httptools.HttpResponseParser(self)
        self.keep_alive_seconds: int | None = None
        """What the receiver announced, for the whole connection."""
        self.start()

    def start(self) -> None:
        """Be ready for the answer to a new request; the last one must have left the reader `reusable`."""
        self.fault: Fault | None = None
        self.received = 0
        self.retry_after: bytes | None = None
        self.reusable = False
        self.status: int | None = None
        self.surplus = False
        self.whole = False
        self._body: list[bytes] = []
        self._body_bytes = self._head_bytes = self._headers = self._interim = 0
        self._framed = self._head_done = False
        self._opening = b""

    def feed(self, data: bytes) -> bool:
        """Take what was received; True when the answer has ended, well or badly."""
        if not (self.received or data.startswith(_OPENING)) or self._opening:
            self._check_opening(data)
        self.received += len(data)
        if self.fault is None:
            try:
                self._parser.feed_data(data)
            except httptools.HttpParserError:
                if self.whole:
                    self.surplus, self.reusable = True, False
                elif self.fault is None:
                    self.fault = Fault.BAD_ANSWER
        if self.whole or self.fault is not None:
            return True
        if not self._head_done:
            if self.received > self._max_head:
                self.fault = Fault.HEAD_TOO_LARGE
        elif self.received > self._max_head + _CHUNK_OVERHEAD * self._max_body:
            self.fault = Fault.BODY_TOO_LARGE
        return self.fault is not None

    def end(self, *, orderly: bool) -> None:
        """Nothing more will come. An answer without length is whole only at an `orderly` end."""
        if self._head_done and not self._framed and orderly:
            self.whole = True
        else:
            self.fault = Fault.ANSWER_TRUNCATED if self.received else Fault.CLOSED_BEFORE_ANSWER

    def body(self) -> tuple[bytes, bytes]:
        """The payload as far as it was read, and its SHA-256."""
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        digest = _sha256_of_nothing.copy()
        digest.update(body)
        return body, digest.digest()

    def release(self) -> None:
        """Undo the cycle between reader and parser, so that a closed connection is freed at once."""
        del self._parser

    # What the parser calls.

    def on_message_begin(self) -> None:
        if self.whole:
            raise _Stop  # a byte beyond the answer: whatever it is, it answers nothing that we asked

    def on_header(self, name: bytes, value: bytes) -> None:
        size = len(name)
        self._headers += 1
        self._head_bytes += size + len(value) + _LINE_OVERHEAD
        if self._head_bytes > self._max_head or self._headers > self._max_headers:
            self._stop(Fault.HEAD_TOO_LARGE)
        if size in _WATCHED and not self._head_done:  # trailers decide nothing
            self._note(name.lower(), value)

    def on_headers_complete(self) -> None:
        status: int = self._parser.get_status_code()
        if status >= _FIRST_FINAL:
            self.status = status
            self._head_done = True
        elif status < _FIRST_STATUS or status == _SWITCHING_PROTOCOLS:
            self._stop(Fault.BAD_ANSWER)
        elif self._framed and status > _LAST_KNOWN_INTERIM:
            self._stop(Fault.BAD_ANSWER)  # llhttp would read a body where none can be

    def on_body(self, data: bytes) -> None:
        self._body_bytes += len(data)
        if self._body_bytes > self._max_body:
            self._stop(Fault.BODY_TOO_LARGE)
        self._body.append(data)

    def on_message_complete(self) -> None:
        if self._head_done:
            self.whole = True
            self.reusable = self._parser.should_keep_alive()
            return
        self._interim += 1
        if self._interim > self._max_interim:
            self._stop(Fault.BAD_ANSWER)
        self._framed = False
        self.retry_after = None

    def _note(self, name: bytes, value: bytes) -> None:
        if name == b"content-length":
            self._framed = True
        elif name == b"transfer-encoding":
            # We offer no TE, so `chunked`, once, is all that a receiver may use (RFC 9112 §6.1).
            if self._framed or value.lower() != b"chunked":
                self._stop(Fault.BAD_ANSWER)
            self._framed = True
        elif name == b"retry-after":
            self.retry_after = value
        elif name == b"keep-alive":
            self.keep_alive_seconds = _keep_alive_timeout(value)

    def _check_opening(self, data: bytes) -> None:
        """Refuse what llhttp lets pass: RTSP/, ICE/, other versions of HTTP, blank lines first."""
        self._opening += data[: len(_OPENING) - len(self._opening)]
        if not _OPENING.startswith(self._opening):
            self.fault = Fault.BAD_ANSWER
        elif len(self._opening) == len(_OPENING):
            self._opening = b""

    def _stop(self, fault: Fault) -> None:
        self.fault = fault
        raise _Stop


def _keep_alive_timeout(value: bytes) -> int | None:
    """N of `Keep-Alive: timeout=N, …`, in seconds."""
    for part in value.lower().split(b","):
        name, _, number = part.strip().partition(b"=")
        if name == b"timeout" and number.isdigit() and len(number) < 10:  # noqa: PLR2004  digits
            return int(number)
    return None
