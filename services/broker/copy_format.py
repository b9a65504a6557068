"""PostgreSQL's binary COPY format, as far as our tables need it. Pure.

asyncpg can encode rows itself, at about 5 µs a row; whole rows that know their columns take half of that,
because what is the same in every row (areas, channels, constants) is encoded once. Every field is its
length and its bytes; null is a length of -1. Source: postgresql.org, COPY, "Binary Format".
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from functools import lru_cache
from struct import Struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"
NULL = b"\xff\xff\xff\xff"
_TEXT_OID = 25
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_EPOCH_DAY = date(2000, 1, 1).toordinal()
_LENGTH = Struct(">i")
_INT4 = Struct(">ii")
_INT8 = Struct(">iq")
_BOOL = (b"\0\0\0\1\0", b"\0\0\0\1\1")
_CHUNK_ROWS = 250
_REMEMBERED = 4_096


async def stream(rows: Iterable[bytes]) -> AsyncIterator[bytes]:
    """Rows as a COPY stream, in chunks: PostgreSQL reads one while the next is encoded."""
    chunk = [HEADER]
    for row in rows:
        chunk.append(row)
        if len(chunk) > _CHUNK_ROWS:
            yield b"".join(chunk)
            chunk = []
    chunk.append(TRAILER)
    yield b"".join(chunk)


def text(value: str | None) -> bytes:
    if value is None:
        return NULL
    encoded = value.encode()
    return _LENGTH.pack(len(encoded)) + encoded


def octets(value: bytes | None) -> bytes:
    """bytea, and json as its text."""
    return NULL if value is None else _LENGTH.pack(len(value)) + value


def int4(value: int | None) -> bytes:
    return NULL if value is None else _INT4.pack(4, value)


def int8(value: int | None) -> bytes:
    return NULL if value is None else _INT8.pack(8, value)


def boolean(value: bool) -> bytes:
    return _BOOL[value]


@lru_cache(_REMEMBERED)
def day(value: date | None) -> bytes:
    return NULL if value is None else _INT4.pack(4, value.toordinal() - _EPOCH_DAY)


def moment(value: datetime | None) -> bytes:
    return NULL if value is None else _INT8.pack(8, microseconds(value))


def microseconds(value: datetime) -> int:
    """A timestamptz: microseconds since 2000-01-01 UTC."""
    since = value - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


@lru_cache(_REMEMBERED)
def word(value: str | None) -> bytes:
    """Text of a small set (states, types, columns that repeat), remembered."""
    return text(value)


@lru_cache(_REMEMBERED)
def words(values: tuple[str, ...]) -> bytes:
    """text[], remembered."""
    if not values:
        content = Struct(">iii").pack(0, 0, _TEXT_OID)
    else:
        content = Struct(">iiiii").pack(1, 0, _TEXT_OID, len(values), 1) + b"".join(map(text, values))
    return _LENGTH.pack(len(content)) + content
