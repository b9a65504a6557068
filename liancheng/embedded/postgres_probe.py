"""Two questions to a PostgreSQL server that need no client library."""

from __future__ import annotations

import contextlib
import ctypes
import socket
import struct
import sys
from typing import TYPE_CHECKING, Final

from liancheng.embedded.ports import LOOPBACK

if TYPE_CHECKING:
    from pathlib import Path

_PROTOCOL_3_0: Final = 3 << 16
_ANSWER_TIMEOUT_S: Final = 1.0
_ANSWER_BYTES: Final = (
    1_024  # all of it: closing with unread bytes would look like a reset in the server's log
)
_SHMID_LINE: Final = 6  # "key id" of the System V segment, counted from 0
_IPC_RMID: Final = 0


def takes_connections(port: int, user: str) -> bool:
    """Whether the server asks `user` for a password, as libpq's PQping does.

    A port that is merely open is not enough: during recovery the server answers with an error.
    """
    parameters = f"user\0{user}\0database\0postgres\0\0".encode()
    startup = struct.pack("!ii", 8 + len(parameters), _PROTOCOL_3_0) + parameters
    try:
        with socket.create_connection((LOOPBACK, port), _ANSWER_TIMEOUT_S) as connection:
            connection.sendall(startup)
            # An AuthenticationRequest; anything else is an ErrorResponse or the end.
            return connection.recv(_ANSWER_BYTES).startswith(b"R")
    except OSError:
        return False


def forget_shared_memory(cluster: Path) -> None:
    """Remove the System V segment that a killed server leaves in the kernel, as its next start would do."""
    if not sys.platform.startswith("linux"):
        return
    with contextlib.suppress(OSError, ValueError, IndexError):  # no server ever ran, or it cleaned up itself
        segment = (cluster / "postmaster.pid").read_text().splitlines()[_SHMID_LINE].split()[1]
        ctypes.CDLL(None).shmctl(int(segment), _IPC_RMID, None)
