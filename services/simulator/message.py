"""HTTP messages as values: a request that arrived in full, an answer and how it ends."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import orjson

if TYPE_CHECKING:
    from collections.abc import Mapping

JSON: Final = b"application/json"
PROBLEM: Final = b"application/problem+json"
HTML: Final = b"text/html; charset=utf-8"
BODILESS: Final = frozenset({204, 304})
CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
STATUS_LINES: Final = {s.value: f"HTTP/1.1 {s.value} {s.phrase}\r\n".encode() for s in HTTPStatus}


class Ending(Enum):
    """What becomes of the connection with an answer."""

    KEEP = auto()
    """The answer in full; the connection stays."""
    CLOSE = auto()
    """The answer in full, then the connection is closed without having been announced so."""
    TRUNCATE = auto()
    """The head and half of the body that the head announces, then the connection is closed."""
    RESET = auto()
    """No answer: the connection is reset (RST)."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request whose head and body arrived in full. Header names are lower-case; `at` is unix time (s)."""

    method: str
    path: str
    query: str
    headers: Mapping[bytes, bytes]
    body: bytes
    at: float

    def header(self, name: bytes) -> str:
        """The value of a header (name in lower case), or an empty string."""
        return self.headers.get(name, b"").decode("latin-1")


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes = b""
    content_type: bytes = JSON
    headers: tuple[tuple[bytes, bytes], ...] = ()
    ending: Ending = Ending.KEEP

    def render(self, *, head_only: bool, last: bool) -> bytes:
        """The bytes to write; `head_only` for HEAD, `last` announces the end of the connection."""
        lines = [STATUS_LINES.get(self.status) or b"HTTP/1.1 %d \r\n" % self.status]
        if self.status not in BODILESS:
            lines.append(b"content-type: %b\r\ncontent-length: %d\r\n" % (self.content_type, len(self.body)))
        lines.extend(b"%b: %b\r\n" % header for header in self.headers)
        if last:
            lines.append(b"connection: close\r\n")
        lines.append(b"\r\n")
        if not head_only and self.status not in BODILESS:
            cut = self.ending is Ending.TRUNCATE
            lines.append(self.body[: len(self.body) // 2] if cut else self.body)
        return b"".join(lines)


RESET: Final = Answer(0, ending=Ending.RESET)


def json_answer(value: Any, status: int = 200, **members: Any) -> Answer:
    return Answer(status, orjson.dumps(value), **members)


def problem(
    status: int, detail: str, *, headers: tuple[tuple[bytes, bytes], ...] = (), **members: Any
) -> Answer:
    """An error in the form of RFC 9457; `members` are its extension members."""
    title = HTTPStatus(status).phrase if status in STATUS_LINES else "Error"
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail, **members}
    return Answer(status, orjson.dumps(body), PROBLEM, headers)
