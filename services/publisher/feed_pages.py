"""The feed in memory: pages read once for all readers of this process.

The feed is dense and immutable, so a page is good for ever; the newest pages stay, up to a number of rows.
Readers that stand at the same place share one query.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from typing import TYPE_CHECKING

from services.publisher.feed_row import Audience, FeedRow
from services.publisher.wire.envelope import TRACEPARENT
from services.runtime.logs import logger
from services.runtime.postgres import is_connection_loss
from services.runtime.stopping import wait_for

if TYPE_CHECKING:
    import asyncpg

log = logger(__name__)

_RETRY_SECONDS = 0.2  # between tries to read a page while the database is away

# `FeedRows.make` takes the columns in this order.
_PAGE = """
select seq, record_uid, version, op, cause, lane, lane_hash, channels, areas, regions, trace_id, body
from feed where seq > $1 and ($3::bigint is null or seq <= $3) order by seq limit $2
"""


class FeedPage:
    """Rows `first` to `last` of the feed, without a gap."""

    __slots__ = ("_by_shard", "first", "last", "rows")

    def __init__(self, rows: list[FeedRow]) -> None:
        self.rows = rows
        self.first, self.last = rows[0].seq, rows[-1].seq
        self._by_shard: dict[int, list[list[FeedRow]]] = {}

    def of_shard(self, shards: int, shard: int) -> list[FeedRow]:
        parts = self._by_shard.get(shards)
        if parts is None:
            parts = self._by_shard[shards] = [[] for _ in range(shards)]
            for row in self.rows:
                parts[row.lane_hash % shards].append(row)
        return parts[shard]


class FeedRows:
    """Makes `FeedRow`s of database rows; equal audiences become one object."""

    def __init__(self) -> None:
        self._audiences: dict[tuple[tuple[str, ...], ...], Audience] = {}

    def make(self, row: asyncpg.Record) -> FeedRow:
        seq, record_uid, version, op, cause, lane, lane_hash, channels, areas, regions, trace_id, body = row
        key = (tuple(channels), tuple(areas), tuple(regions))
        audience = self._audiences.get(key)
        if audience is None:
            audience = Audience(*(frozenset(part) for part in key))
            self._audiences[key] = audience
        # A producer's own trace id need not be a W3C traceparent, and only that may become a header.
        traceparent = trace_id if trace_id is not None and TRACEPARENT.fullmatch(trace_id) else None
        return FeedRow(seq, record_uid, version, op, cause, lane, lane_hash, audience, traceparent, body)


class FeedPages:
    """`after(seq)` answers the page that holds the next row, waiting until there is one.

    One task, `follow`, reads what is new, for all readers that stand at the feed's end; a reader further
    back reads for itself, and those that stand at the same place share one query.
    """

    def __init__(self, pool: asyncpg.Pool, page_rows: int, cache_rows: int, poll_seconds: float) -> None:
        self._pool, self._page_rows, self._cache_rows = pool, page_rows, cache_rows
        self._poll_seconds = poll_seconds
        self._pages: list[FeedPage] = []  # ascending, without overlap
        self._cached = 0
        self._loading: dict[int, asyncio.Task[FeedPage | None]] = {}
        self._grown = asyncio.Event()
        self._arrived = asyncio.Event()
        self.rows = FeedRows()
        self.newest = 0  # all rows up to here exist

    def wake(self) -> None:
        """The feed may have grown."""
        self._grown.set()

    async def follow(self) -> None:
        """Read what is new as it comes; returns only when cancelled."""
        self.newest = await self._pool.fetchval("select feed from sequence_head")
        self._announce()
        while True:
            self._grown.clear()
            page = await self._load(self.newest, None)
            if page is not None:
                self.newest = page.last
                self._announce()
            if page is None or len(page.rows) < self._page_rows:
                await wait_for(self._grown, self._poll_seconds)

    async def after(self, seq: int) -> FeedPage:
        while True:
            page = self._cached_after(seq)
            if page is not None:
                return page
            if seq >= self.newest:
                await self._arrived.wait()
                continue
            task = self._loading.get(seq)
            if task is None:
                task = self._loading[seq] = asyncio.create_task(self._load(seq, self.newest))
                task.add_done_callback(lambda _done: self._loading.pop(seq, None))
            page = await asyncio.shield(task)
            if page is not None:
                return page
            await asyncio.sleep(_RETRY_SECONDS)

    def _announce(self) -> None:
        arrived, self._arrived = self._arrived, asyncio.Event()
        arrived.set()

    def _cached_after(self, seq: int) -> FeedPage | None:
        at = bisect_right(self._pages, seq, key=lambda page: page.last)
        if at < len(self._pages) and self._pages[at].first <= seq + 1:
            return self._pages[at]
        return None

    async def _load(self, seq: int, last: int | None) -> FeedPage | None:
        """The rows after `seq`, up to `last`; None if there are none, or the database is away."""
        try:
            found = await self._pool.fetch(_PAGE, seq, self._page_rows, last)
        except Exception as error:
            if not is_connection_loss(error):
                raise
            log.warning("feed_unreachable", error=type(error).__name__)
            return None
        if not found:
            return None
        page = FeedPage([self.rows.make(row) for row in found])
        if page.last - page.first + 1 != len(page.rows) or page.first != seq + 1:
            raise RuntimeError(f"the feed has a gap between {seq + 1} and {page.last}")
        self._keep(page)
        return page

    def _keep(self, page: FeedPage) -> None:
        at = bisect_right(self._pages, page.first, key=lambda other: other.first)
        before = self._pages[at - 1] if at else None
        behind = self._pages[at] if at < len(self._pages) else None
        if (before is not None and before.last >= page.first) or (
            behind is not None and behind.first <= page.last
        ):
            return  # overlaps a page that is kept: use it once
        self._pages.insert(at, page)
        self._cached += len(page.rows)
        while self._cached > self._cache_rows and len(self._pages) > 1:
            self._cached -= len(self._pages.pop(0).rows)
