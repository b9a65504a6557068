"""The publisher's settings."""

from __future__ import annotations

from pydantic import Field, SecretStr, model_validator

from services.publisher.wire.limits import WireLimits
from services.runtime.logs import LogFormat  # noqa: TC001  pydantic reads it at run time
from services.runtime.settings import ServiceSettings


class PublisherSettings(ServiceSettings):
    """One process pushes with these; any number of processes share the work."""

    publisher_database_url: SecretStr = Field(description="postgresql:// URL of the role liancheng_publisher")
    data_key: SecretStr = Field(
        description="base64 of 32 bytes: opens the destinations' secrets; former keys may follow after commas"
    )
    publisher_id: str | None = Field(
        None,
        description="name of this process in leases and ledger; unique; default: host, process and random",
    )

    lease_seconds: float = Field(
        6.0,
        gt=0.2,
        description="s that a lease lasts unless renewed: what a crash costs until another takes over",
    )
    lease_margin_seconds: float = Field(
        0.5, ge=0, description="s before its end at which a lease no longer lets a request leave"
    )
    claim_seconds: float = Field(
        1.0, gt=0, description="s between looks for leases to claim, renew or hand over"
    )
    drain_seconds: float = Field(
        10.0,
        ge=0,
        description="s that a stop waits for answers (what is open then is ledgered as unknown), and as long"
        " again for a database that is away",
    )

    max_unsettled: int = Field(
        64,
        gt=0,
        description="deliveries a destination that may be written and not yet on the ledger: bounds what a"
        " crash of this process can repeat",
    )
    max_in_flight: int = Field(512, gt=0, description="requests in flight in this process, all destinations")
    feed_page_rows: int = Field(500, gt=0, description="feed rows read at a time")
    feed_cache_rows: int = Field(
        20_000, gt=0, description="feed rows kept in memory for all readers together"
    )
    max_lanes: int = Field(
        10_000,
        gt=0,
        description="lanes a (destination, shard), under way or parked, at which its cursor waits: bounds"
        " memory and the table of parked deliveries when a destination is dead",
    )
    poll_seconds: float = Field(
        1.0, gt=0, description="s between looks at the feed when no notification comes (they are only a hint)"
    )

    retry_base_seconds: float = Field(0.5, gt=0, description="s, the upper end of the first back-off")
    retry_cap_seconds: float = Field(3600.0, gt=0, description="s, the upper end of any back-off")

    database_connections: int = Field(6, ge=3, description="connections of this process to PostgreSQL")
    health_host: str = Field("127.0.0.1", description="address that /livez, /readyz and /metrics listen on")
    health_port: int = Field(0, ge=0, le=65535, description="its port; 0 takes a free one and logs it")
    metrics_token: SecretStr | None = Field(
        None, description="bearer token of /metrics; without one /metrics is closed"
    )
    log_level: str = Field("INFO", description="DEBUG, INFO, WARNING or ERROR")
    log_format: LogFormat = Field("json", description="json or console")

    wire: WireLimits = Field(
        default_factory=WireLimits,
        description="limits of the wire",
    )

    @model_validator(mode="after")
    def _margins(self) -> PublisherSettings:
        if self.lease_margin_seconds >= self.lease_seconds / 2:
            raise ValueError("lease_margin_seconds must be less than half of lease_seconds")
        if self.claim_seconds > self.lease_seconds / 3:
            raise ValueError("claim_seconds must be at most a third of lease_seconds, or leases lapse")
        return self
