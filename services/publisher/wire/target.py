"""Where a destination is: its URL, taken apart once and checked."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import Final, Self
from urllib.parse import urlsplit

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_PRINTABLE: Final = re.compile(r"[\x21-\x7e]+")
_HOST: Final = re.compile(r"[A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True)
class Target:
    """`host` is a lower-case ASCII name or a bare address, `path` begins with "/" and includes the query."""

    scheme: str
    host: str
    port: int
    path: str

    @classmethod
    def parse(cls, url: str) -> Self:
        """Takes an http or https URL; raises ValueError for what would be ambiguous or unsafe on the wire.

        Refused: other schemes, user names and passwords, fragments, blanks, control and non-ASCII characters
        outside the host name (they must come percent-encoded), ports outside 1 to 65535.
        """
        parts = urlsplit(url)
        if parts.scheme not in _DEFAULT_PORTS:
            raise ValueError("the scheme must be http or https")
        if parts.username is not None or parts.password is not None:
            raise ValueError("no user name or password in the address")
        if "#" in url:
            raise ValueError("no fragment in the address")
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        # urlsplit silently strips tabs and line ends: what it saw must be what was given.
        if not _PRINTABLE.fullmatch(path) or re.search(r"[\x00-\x20\x7f\\]", url):
            raise ValueError("blanks, control and non-ASCII characters must be percent-encoded")
        port = parts.port if parts.port is not None else _DEFAULT_PORTS[parts.scheme]
        if port == 0:
            raise ValueError("the port must be between 1 and 65535")
        return cls(parts.scheme, _host(parts.hostname or ""), port, path)

    @property
    def secure(self) -> bool:
        return self.scheme == "https"

    @property
    def authority(self) -> str:
        """The value of the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"


def _host(name: str) -> str:
    if "%" in name:
        raise ValueError("no zone and no escape in the host name")
    if ":" in name:
        return str(IPv6Address(name))
    try:
        host = name if name.isascii() else name.encode("idna").decode("ascii")
    except UnicodeError:
        raise ValueError("the host name is not a valid internationalised name") from None
    host = host.lower().rstrip(".")
    if not _HOST.fullmatch(host):
        raise ValueError("the host name has characters that no host name has")
    return host
