"""The API's settings. A request beyond a limit is answered 422 with the limit's name, never shorter."""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field, SecretStr

from services.runtime.settings import ServiceSettings


class ApiSettings(ServiceSettings):
    """What every process that serves the API is told."""

    api_database_url: SecretStr = Field(description="postgresql:// URL of the role liancheng_api.")
    api_host: str = Field("127.0.0.1", description="address that the API listens on")
    api_port: int = Field(
        8080, ge=0, le=65_535, description="port of the API; 0 takes a free one and logs it"
    )
    api_database_connections: int = Field(
        8, ge=1, description="connections of the API to PostgreSQL, beside the one that listens to the feed"
    )
    api_acquire_seconds: float = Field(
        5.0, gt=0, description="s that a request waits for a connection before it is answered 503"
    )
    api_key_cache_seconds: float = Field(
        5.0,
        ge=0,
        description="s that a key read from the database is trusted: how long a revoked one may live",
    )
    api_key_cache_size: int = Field(
        10_000, gt=0, description="keys kept at most, unknown ones too: bounds memory under guessing"
    )
    api_page_default: int = Field(100, gt=0, description="items of a page if the request names no limit")
    api_page_max: int = Field(1_000, gt=0, description="highest limit of a page: about 3 MB of records")
    api_feed_wait_max_seconds: float = Field(
        60.0, gt=0, description="longest s that a poll may wait: below the idle time-outs of common proxies"
    )
    api_feed_scan_rows: int = Field(
        20_000,
        gt=0,
        description="feed rows looked at for one page: bounds its query, the cursor moves on anyway",
    )
    api_feed_poll_seconds: float = Field(
        2.0, gt=0, description="s between looks at the feed when no notification comes (they are only a hint)"
    )
    api_ledger_scan_rows: int = Field(
        100_000, gt=0, description="ledger entries looked at for one page of the audit API: bounds its query"
    )
    api_ledger_settle_seconds: float = Field(
        5.0, gt=0, description="s to wait for ledger writers before an audit page, or else 503"
    )
    api_ledger_skew_seconds: float = Field(
        300.0,
        ge=0,
        description="s by which the time of a ledger entry may lie behind that of one before it: longer than"
        " any transaction lasts",
    )
    api_inbox_scan_rows: int = Field(
        100_000, gt=0, description="inbox rows looked at for one page of GET /v1/inbox: bounds its query"
    )
    api_probe_seconds: float = Field(2.0, gt=0, description="s that /readyz waits for the database's answer")
    api_loop_lag_seconds: float = Field(
        5.0, gt=0, description="s that the event loop may be late before /livez says so"
    )
    api_drain_seconds: float = Field(
        10.0, gt=0, description="s to finish the requests at hand when stopping; waiting polls end at once"
    )
    api_connections_max: int = Field(
        2_000, gt=0, description="open requests at which further ones are answered 503: bounds memory"
    )

    @property
    def api_ledger_skew(self) -> timedelta:
        return timedelta(seconds=self.api_ledger_skew_seconds)
