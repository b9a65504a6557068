"""From a target to an open connection: name, address check, TCP, TLS."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from typing import TYPE_CHECKING

from services.publisher.wire.addresses import DialError
from services.publisher.wire.answer import Fault

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.publisher.wire.addresses import Address, Resolver
    from services.publisher.wire.connection import Connection
    from services.publisher.wire.limits import WireLimits
    from services.publisher.wire.target import Target


def tls_context(limits: WireLimits) -> ssl.SSLContext:
    """A client context that verifies chain and host name, TLS 1.2 or newer. Costs milliseconds: make one a
    process.

    Client certificates are a matter of `load_cert_chain` on what this returns.
    """
    context = ssl.create_default_context(cafile=limits.ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context


async def dial(
    target: Target,
    limits: WireLimits,
    resolver: Resolver,
    tls: ssl.SSLContext | None,
    connection: Callable[[socket.socket], Connection],
) -> Connection:
    """Tries the target's addresses in turn, all together within `connect_seconds`. Raises DialError.

    `connection` makes the protocol for a connected socket. `tls` must be given for an https target.
    """
    deadline = time.monotonic() + limits.connect_seconds
    try:
        async with asyncio.timeout(limits.connect_seconds):
            addresses = await resolver.resolve(target.host, target.port)
    except TimeoutError:
        # The name server's silence; kept apart from a silent receiver.
        raise DialError(Fault.NAME_UNRESOLVED) from None
    error = DialError(Fault.CONNECT_TIMEOUT)
    for position, address in enumerate(addresses):
        # A dead first address must leave time for the second.
        share = max(0.0, deadline - time.monotonic()) / (len(addresses) - position)
        try:
            async with asyncio.timeout(share):
                return await _open(target, limits, address, tls, connection)
        except TimeoutError:
            error = DialError(Fault.CONNECT_TIMEOUT)
        except DialError as refused:
            error = refused
    resolver.forget(target.host, target.port)
    raise error


async def _open(
    target: Target,
    limits: WireLimits,
    address: Address,
    tls: ssl.SSLContext | None,
    connection: Callable[[socket.socket], Connection],
) -> Connection:
    loop = asyncio.get_running_loop()
    sock = await _connect(loop, address)
    try:
        if target.secure:
            _, protocol = await loop.create_connection(
                lambda: connection(sock),
                sock=sock,
                ssl=tls,
                server_hostname=target.host,
                ssl_handshake_timeout=limits.connect_seconds,
                ssl_shutdown_timeout=limits.tls_shutdown_seconds,
            )
        else:
            _, protocol = await loop.create_connection(lambda: connection(sock), sock=sock)
    except (OSError, ssl.CertificateError) as error:  # SSLError and a hang-up in mid-handshake are OSErrors
        sock.close()
        raise DialError(Fault.TLS_FAILED if target.secure else Fault.CONNECT_FAILED) from error
    return protocol


async def _connect(loop: asyncio.AbstractEventLoop, address: Address) -> socket.socket:
    try:
        sock = socket.socket(address.family, socket.SOCK_STREAM)
    except OSError as error:  # no file descriptor left
        raise DialError(Fault.CONNECT_FAILED) from error
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await loop.sock_connect(sock, address.sockaddr)
    except TimeoutError as error:  # ETIMEDOUT; a time-out of ours arrives as a cancellation
        sock.close()
        raise DialError(Fault.CONNECT_TIMEOUT) from error
    except ConnectionRefusedError as error:
        sock.close()
        raise DialError(Fault.CONNECT_REFUSED) from error
    except OSError as error:
        sock.close()
        raise DialError(Fault.CONNECT_FAILED) from error
    except BaseException:
        sock.close()
        raise
    return sock
