"""TCP ports on 127.0.0.1 that stay ours while their server is down."""

from __future__ import annotations

import os
import random
import socket
import sys
import weakref
from pathlib import Path
from typing import Final

LOOPBACK: Final = "127.0.0.1"
_LOWEST: Final = 10_000
_EPHEMERAL_DEFAULT: Final = 32_768
_TRIES: Final = 200


class HeldPort:
    """A port, held by a socket that is bound but never listens, until this object is gone.

    The kernel lets a server that sets SO_REUSEADDR listen beside it (PostgreSQL and the JVM do), and refuses
    the port to whoever merely asks for a free one. So nobody takes it between two starts of our server.
    """

    number: int

    def __init__(self, port: int = 0) -> None:
        """Hold `port`, or a free one for 0; raises OSError if somebody listens on it."""
        held = _bind_given(port) if port else _bind_free()
        self.number = held.getsockname()[1]
        if sys.platform.startswith("linux"):
            weakref.finalize(self, os.close, held.detach())
        else:  # BSD kernels refuse the second bind, so there the port is only found, not held
            held.close()


def _bind_given(port: int) -> socket.socket:
    held = socket.socket()
    try:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind((LOOPBACK, port))
    except OSError as error:
        held.close()
        raise OSError(error.errno, f"port {port} on {LOOPBACK} is taken: {error.strerror}") from error
    return held


def _bind_free() -> socket.socket:
    # Below the ephemeral range: a port inside it can be taken as the source port of any outgoing connection
    # while the server restarts, and a client that dials it meanwhile can even connect to itself.
    highest = _first_ephemeral_port() - 1
    for _ in range(_TRIES):
        held = socket.socket()
        try:
            held.bind((LOOPBACK, random.randint(_LOWEST, highest)))
        except OSError:
            held.close()
            continue
        # Only now, so that the bind above was refused if anybody else holds the port.
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return held
    raise OSError(f"no free port on {LOOPBACK} in {_TRIES} tries between {_LOWEST} and {highest}")


def _first_ephemeral_port() -> int:
    try:
        first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return _EPHEMERAL_DEFAULT
    return first if first > 2 * _LOWEST else _EPHEMERAL_DEFAULT


def free_port() -> int:
    """A port that is free now; for servers that can't be given a `HeldPort`."""
    return HeldPort().number
