"""From a host name to addresses that deliveries may go to.

Every looked-up address is checked, and the connection is made to the very address that was checked, so a name
that changes its answer between check and connect (DNS rebinding) gains nothing.

Sources: the IANA special-purpose address registries for IPv4 and IPv6 (RFC 6890 and updates).
"""

from __future__ import annotations

import asyncio
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_address
from typing import TYPE_CHECKING, Final, NamedTuple

from services.publisher.wire.answer import Fault

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from services.publisher.wire.limits import WireLimits

_FORBIDDEN_V4: Final = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this network, unspecified
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # carrier NAT; metadata at 100.100.100.200
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # metadata and agents of a large cloud, on a public address
        "169.254.0.0/16",  # link-local; metadata at 169.254.169.254
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments; metadata at 192.0.0.192
        "192.0.2.0/24",  # documentation
        "192.31.196.0/24",  # AS112
        "192.52.193.0/24",  # multicast tunnels
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",  # private
        "192.175.48.0/24",  # AS112
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, limited broadcast
    )
)

# Of IPv6 only global unicast space is open, which leaves out ::, ::1, IPv4-mapped (::ffff:0:0/96) and
# -compatible (::/96) forms, NAT64 (64:ff9b::/96, 64:ff9b:1::/48), fc00::/7 (metadata at fd00:ec2::254),
# fe80::/10, ff00::/8.
_GLOBAL_V6: Final = IPv6Network("2000::/3")
_FORBIDDEN_V6: Final = tuple(
    IPv6Network(network)
    for network in (
        "2001::/23",  # protocol assignments: Teredo, ORCHID, benchmarks
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4: an IPv4 address in disguise
        "2620:4f:8000::/48",  # AS112
        "3fff::/20",  # documentation
    )
)


def permitted(address: str, allowed: Sequence[IPv4Network | IPv6Network] = ()) -> bool:
    """Whether a delivery may go to this address: public unicast, or inside one of the `allowed` networks.

    An IPv4 address in IPv6 clothes is judged as the IPv6 address that it is: refused, unless its own network
    is allowed. What is no address at all is refused.
    """
    try:
        ip = ip_address(address)
    except ValueError:
        return False
    if any(ip in network for network in allowed):
        return True
    if isinstance(ip, IPv4Address):
        return not any(ip in network for network in _FORBIDDEN_V4)
    return ip in _GLOBAL_V6 and not any(ip in network for network in _FORBIDDEN_V6)


class Address(NamedTuple):
    """One checked end point, as `socket.connect` takes it."""

    family: int
    sockaddr: tuple[str, int] | tuple[str, int, int, int]


class DialError(Exception):
    """A connection could not be made. `fault` says why."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.value)
        self.fault = fault


def lookup(host: str, port: int) -> list[Address]:
    """Blocking. Every stream address of a name or literal, in the order of RFC 6724; raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return [Address(family, sockaddr) for family, _, _, _, sockaddr in found]  # type: ignore[arg-type]


class Resolver:
    """Looks up and checks; one for all senders of a process. Not thread-safe: belongs to one event loop."""

    def __init__(self, limits: WireLimits, lookup: Callable[[str, int], list[Address]] = lookup) -> None:
        self._allowed = limits.allowed_networks
        self._keep_seconds = limits.resolve_cache_seconds
        self._lookup = lookup
        self._threads = ThreadPoolExecutor(limits.resolve_threads, thread_name_prefix="resolve")
        self._known: dict[tuple[str, int], tuple[float, tuple[Address, ...]]] = {}
        self._running: dict[tuple[str, int], asyncio.Future[list[Address] | OSError]] = {}

    async def resolve(self, host: str, port: int) -> tuple[Address, ...]:
        """At least one address, all permitted. Raises DialError: NAME_UNRESOLVED, ADDRESS_FORBIDDEN."""
        key = (host, port)
        until, addresses = self._known.get(key, (0.0, ()))
        if time.monotonic() < until:
            return addresses
        found = await self._find(key)
        if isinstance(found, OSError):
            raise DialError(Fault.NAME_UNRESOLVED) from found
        addresses = tuple(a for a in found if permitted(a.sockaddr[0], self._allowed))
        if not addresses:
            raise DialError(Fault.ADDRESS_FORBIDDEN if found else Fault.NAME_UNRESOLVED)
        self._known[key] = (time.monotonic() + self._keep_seconds, addresses)
        return addresses

    def forget(self, host: str, port: int) -> None:
        """The next `resolve` asks again: for an address that did not let itself be connected to."""
        self._known.pop((host, port), None)

    def close(self) -> None:
        """Leaves running look-ups to end by themselves: getaddrinfo can't be interrupted."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _find(self, key: tuple[str, int]) -> list[Address] | OSError:
        # Connections of one destination ask together; a hung name shall cost one thread, not sixteen.
        running = self._running.get(key)
        if running is None:
            running = asyncio.get_running_loop().run_in_executor(self._threads, self._try, *key)
            self._running[key] = running
            running.add_done_callback(lambda _: self._running.pop(key, None))
        return await asyncio.shield(running)

    def _try(self, host: str, port: int) -> list[Address] | OSError:
        # The error is a value, so that a look-up whose askers have all given up leaves no unread exception.
        try:
            return self._lookup(host, port)
        except UnicodeError:  # a label that is too long or empty
            return OSError("not a host name")
        except OSError as error:
            return error
