from __future__ import annotations

import socket

import pytest

from liancheng.embedded.ports import LOOPBACK, HeldPort, free_port


def listen(port: int) -> socket.socket:
    """As a server does: with SO_REUSEADDR."""
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        server.bind((LOOPBACK, port))
        server.listen()
    except OSError:
        server.close()
        raise
    return server


def test_nobody_else_gets_a_held_port() -> None:
    held = HeldPort()
    with socket.socket() as other, pytest.raises(OSError, match="in use"):
        other.bind((LOOPBACK, held.number))


def test_a_server_can_listen_on_it_again_and_again() -> None:
    held = HeldPort()
    for _ in range(2):
        with listen(held.number), socket.create_connection((LOOPBACK, held.number), 1):
            pass
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((LOOPBACK, held.number), 1)


def test_free_ports_differ_and_lie_below_the_ephemeral_range() -> None:
    held = [HeldPort() for _ in range(50)]
    numbers = {port.number for port in held}
    assert len(numbers) == 50
    with socket.socket() as outgoing:
        outgoing.bind((LOOPBACK, 0))
        assert max(numbers) < outgoing.getsockname()[1]


def test_a_given_port_that_is_taken_is_an_error() -> None:
    port = free_port()
    with listen(port), pytest.raises(OSError, match=f"port {port} on {LOOPBACK} is taken"):
        HeldPort(port)


def test_a_port_is_released_with_its_holder() -> None:
    held = HeldPort()
    number = held.number
    del held
    with socket.socket() as other:
        other.bind((LOOPBACK, number))
