"""Every limit, time-out and default of the wire, as one frozen settings model."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class WireLimits(BaseModel):
    """For the publisher's settings; a destination may have a copy of its own (`model_copy(update=…)`)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    connections: int = Field(
        16,
        ge=1,
        le=1024,
        description="Connections per destination and process, and so requests in flight. 16 keep a receiver"
        " with 1 ms of work busy at 16,000 requests/s; more only deepens the queue inside the receiver.",
    )
    connect_seconds: float = Field(
        5.0,
        gt=0,
        description="Seconds for name, TCP and TLS together. Three SYNs (0, 1, 3 s) fit; what takes longer is"
        " as good as down.",
    )
    first_byte_seconds: float = Field(
        15.0,
        gt=0,
        description="Seconds from the write of a request to the first byte of its answer. Standard Webhooks"
        " asks senders to wait 15 to 30 s.",
    )
    whole_seconds: float = Field(
        30.0,
        gt=0,
        description="Seconds from the write of a request to the last byte of its answer: bounds a receiver"
        " that trickles, and with the lease bounds how long a delivery can be in flight.",
    )
    sweep_seconds: float = Field(
        0.1,
        gt=0,
        description="Seconds between two looks at the clock. One timer a sender instead of one a request, so"
        " every time-out above may come this much late.",
    )
    idle_seconds: float = Field(
        4.0,
        gt=0,
        description="Seconds after which an unused connection is closed. Below the 5 s of Node, Apache and"
        " uvicorn, so that it is we who close, and no request meets a receiver that is just hanging up. A"
        " receiver's `Keep-Alive: timeout=` shortens it further.",
    )
    idle_probe_seconds: float = Field(
        0.01,
        ge=0,
        description="Seconds of idling after which a connection is probed (one poll, 1 µs) for a hang-up that"
        " the event loop has not read yet, before a request is risked on it.",
    )
    max_age_seconds: float = Field(
        300.0,
        gt=0,
        description="Seconds after which a connection is not used again, so that a changed address or a"
        " drained load balancer is followed even where connections never idle.",
    )
    distrust_seconds: float = Field(
        60.0,
        ge=0,
        description="Seconds for which each request gets a connection of its own, after a receiver hung up"
        " unannounced on the second request of one (one that does so after every answer would leave every"
        " other outcome unknown), or sent bytes that nothing had asked for.",
    )
    tls_shutdown_seconds: float = Field(
        1.0,
        gt=0,
        description="Seconds to wait for the receiver's close_notify when we close a TLS connection. Nothing"
        " is owed on it any more; asyncio's default of 30 s would only keep sockets.",
    )
    max_head_bytes: int = Field(
        32_768,
        ge=256,
        description="Bytes of status line and headers of one answer, interim answers included (nginx's own"
        " default for what it takes from an upstream is 4 to 8 kB).",
    )
    max_headers: int = Field(
        128,
        ge=1,
        description="Header lines and trailers of one answer, interim answers included (Apache: 100).",
    )
    max_interim: int = Field(
        8,
        ge=0,
        description="Interim (1xx) answers before the final one. 100 and 103 are the two seen in practice.",
    )
    max_body_bytes: int = Field(
        65_536,
        ge=0,
        description="Bytes of an answer's body. A receipt is a few hundred bytes, an error page some"
        " kilobytes; a larger answer is not read on and its outcome is unknown.",
    )
    resolve_cache_seconds: float = Field(
        30.0,
        ge=0,
        description="Seconds for which a looked-up and checked address is used for new connections. A failed"
        " connect forgets it at once.",
    )
    resolve_threads: int = Field(
        16,
        ge=1,
        description="Names that are looked up at the same time. getaddrinfo blocks a thread for as long as a"
        " dead name server pleases; threads of their own keep it from everything else.",
    )
    allowed_networks: tuple[IPv4Network | IPv6Network, ...] = Field(
        (),
        description="Networks that deliveries may go to although they are private, loopback or otherwise"
        " special: what is really internal (government extranet, the demo's 127.0.0.0/8). Empty: public"
        " addresses only.",
    )
    ca_file: Path | None = Field(
        None,
        description="PEM file of certificate authorities to trust instead of the system's. Unset: the"
        " system's.",
    )

    @model_validator(mode="after")
    def _whole_covers_first_byte(self) -> Self:
        if self.first_byte_seconds > self.whole_seconds:
            raise ValueError("first_byte_seconds must not exceed whole_seconds")
        return self
