"""Ledger entries as the tuples that COPY takes, in the order of `COLUMNS`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from services.publisher.feed_row import FeedRow

COLUMNS = (
    "kind", "reader", "shard", "token", "seq", "record_uid", "version", "op", "attempt", "outcome", "status",
    "error", "sent_at", "settled_at", "retry_at", "request_sha256", "response_sha256", "publisher",
)  # fmt: skip

Entry = tuple[object, ...]

# The process that owned the lease went away while this attempt may have been on the wire.
OWNER_LOST = "OWNER_LOST"
# This process was told to stop and its deadline passed before the answer came.
STOPPED_WAITING = "STOPPED_WAITING"

# Outcomes after which a version is done with at a destination. UNKNOWN and RETRYABLE are not among them.
TERMINAL = ("ACCEPTED", "REJECTED", "SUPERSEDED")


def at(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


class EntryWriter:
    """Makes the entries of one (destination, shard) under one lease token."""

    __slots__ = ("_publisher", "_reader", "_shard", "_token")

    def __init__(self, reader: str, shard: int, token: int, publisher: str) -> None:
        self._reader, self._shard, self._token, self._publisher = reader, shard, token, publisher

    def attempt(
        self,
        row: FeedRow,
        attempt: int,
        outcome: str,
        *,
        settled_at: float,
        sent_at: float | None = None,
        status: int | None = None,
        error: str | None = None,
        retry_at: float | None = None,
        request_sha256: bytes | None = None,
        response_sha256: bytes | None = None,
    ) -> Entry:
        return (
            "ATTEMPT", self._reader, self._shard, self._token, row.seq, row.record_uid, row.version, row.op,
            attempt, outcome, status, error, at(sent_at), at(settled_at), at(retry_at), request_sha256,
            response_sha256, self._publisher,
        )  # fmt: skip

    def superseded(self, row: FeedRow, attempts: int, settled_at: float) -> Entry:
        """A waiting version that a newer one of its record overtook, after `attempts` attempts of its own."""
        return (
            "SUPERSEDED", self._reader, self._shard, self._token, row.seq, row.record_uid, row.version,
            row.op, attempts, "SUPERSEDED", None, None, None, at(settled_at), None, None, None,
            self._publisher,
        )  # fmt: skip
