"""One question to a Kafka server that needs no client library."""

from __future__ import annotations

import socket
import struct
from typing import Final

from liancheng.embedded.ports import LOOPBACK

_METADATA: Final = 3
_METADATA_VERSION: Final = 4
_CLIENT: Final = b"liancheng-probe"
_ANSWER_TIMEOUT_S: Final = 1.0


def answers_metadata(port: int) -> bool:
    """Whether the node names at least one live broker.

    An open port is not enough: the node listens before its own broker is registered and unfenced.
    """
    # Header: key, version, correlation id, client id. Body: no topics, no topic creation.
    request = (
        struct.pack("!hhih", _METADATA, _METADATA_VERSION, 1, len(_CLIENT))
        + _CLIENT
        + struct.pack("!i?", 0, False)
    )
    try:
        with socket.create_connection((LOOPBACK, port), _ANSWER_TIMEOUT_S) as connection:
            connection.sendall(struct.pack("!i", len(request)) + request)
            with connection.makefile("rb") as answers:
                (length,) = struct.unpack("!i", answers.read(4))
                answer = answers.read(length)
        # Correlation id, throttle time, number of brokers, ...
        _, _, brokers = struct.unpack_from("!iii", answer)
    except (OSError, struct.error):
        return False
    return bool(brokers > 0)
