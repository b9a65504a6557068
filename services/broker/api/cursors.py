"""Cursors: opaque to their holders, bound to the list that gave them, and checked before use.

Form: base64url of `numbers (8 bytes each) || CRC-32 over list name and numbers`. The checksum finds a cursor
that was cut, mistyped or taken from another list; it is no signature: a cursor chooses a place, never what
may be seen.
"""

from __future__ import annotations

import base64
import binascii
import struct
import zlib

from services.broker.api.errors import ProblemError

_HIGHEST = 2**63 - 1
_BAD_CURSOR = 422


def write_cursor(of_list: str, *numbers: int) -> str:
    """A cursor into `of_list`; all `numbers` from 0 to 2^63 - 1."""
    packed = struct.pack(f">{len(numbers)}Q", *numbers)
    return base64.urlsafe_b64encode(packed + _checksum(of_list, packed)).rstrip(b"=").decode()


def read_cursor(text: str, of_list: str, count: int) -> tuple[int, ...]:
    """The `count` numbers of a cursor into `of_list`.

    Raises:
        ProblemError: 422 `E_CURSOR` if it is not one.

    """
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    packed, checksum = raw[:-4], raw[-4:]
    if len(packed) == 8 * count and checksum == _checksum(of_list, packed):
        numbers: tuple[int, ...] = struct.unpack(f">{count}Q", packed)
        if max(numbers) <= _HIGHEST and text == write_cursor(of_list, *numbers):
            return numbers
    error = {"field": "cursor", "code": "E_CURSOR", "detail": "not a cursor that this list gave"}
    raise ProblemError(
        _BAD_CURSOR,
        "E_CURSOR",
        "The cursor is not one that this list, with these filters, gave.",
        errors=[error],
    )


def _checksum(of_list: str, packed: bytes) -> bytes:
    return zlib.crc32(of_list.encode() + b"\0" + packed).to_bytes(4)
