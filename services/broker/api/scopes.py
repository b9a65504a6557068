"""What a key may do. A route names the scope that it asks for; `admin` has all of them."""

from __future__ import annotations

from enum import StrEnum


class Scope(StrEnum):
    """Scopes of API keys."""

    CHECK = "check:read"
    FEED = "feed:read"
    RECORDS = "records:read"
    AUDIT = "audit:read"
    METRICS = "metrics:read"
    ADMIN = "admin"


MEANINGS = {
    Scope.CHECK: ("核查", "ask whether an enterprise is under a measure of a granted area"),
    Scope.FEED: ("变更流", "page the change feed of a granted area"),
    Scope.RECORDS: ("记录", "read records of granted areas and regions"),
    Scope.AUDIT: ("审计", "read the ledger, the inbox and the destinations, of all areas and regions"),
    Scope.METRICS: ("指标", "read /metrics"),
    Scope.ADMIN: ("管理", "everything, the settings too"),
}
# Auditors and operators see all areas and regions; every other key sees what it was granted.
SEE_ALL = frozenset({Scope.AUDIT, Scope.ADMIN})
