"""Wakes waiting polls when the feed moves: one listening connection a process, however many poll.

NOTIFY is only a hint. What counts is the feed's head, which is read after every hint, after every
reconnection and every few seconds anyway; hints that come while it is read fold into one more look.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from services.runtime.feed_listener import listen
from services.runtime.logs import logger
from services.runtime.stopping import wait_for

if TYPE_CHECKING:
    import asyncpg

log = logger(__name__)
CHANNEL = "liancheng_feed"


class FeedSignal:
    """`start`, then any number of `beyond`; `end_waits` or `close` ends them all at once."""

    def __init__(self, pool: asyncpg.Pool, dsn: str, poll_seconds: float) -> None:
        self._pool, self._dsn, self._poll_seconds = pool, dsn, poll_seconds
        self._head = -1
        self._moved = asyncio.Event()
        self._hint = asyncio.Event()
        self._closing = False
        self._tasks: list[asyncio.Task[None]] = []
        self._waiting = 0

    @property
    def closing(self) -> bool:
        return self._closing

    @property
    def waiting(self) -> int:
        """How many wait now."""
        return self._waiting

    def start(self) -> None:
        self._tasks = [
            asyncio.create_task(listen(self._dsn, CHANNEL, self._hint.set), name="feed-hints"),
            asyncio.create_task(self._follow(), name="feed-head"),
        ]

    async def close(self) -> None:
        """Idempotent, also before `start`."""
        self.end_waits()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []

    def end_waits(self) -> None:
        """Let every wait return, now and from now on: the process is about to stop."""
        self._closing = True
        self._moved.set()

    async def beyond(self, position: int, seconds: float) -> None:
        """Return when the feed's head is beyond `position`, after `seconds`, or when closing."""
        self._waiting += 1
        try:
            async with asyncio.timeout(seconds):
                while self._head <= position and not self._closing:
                    await self._moved.wait()
        except TimeoutError:
            return
        finally:
            self._waiting -= 1

    async def _follow(self) -> None:
        while True:
            self._hint.clear()
            try:
                head = await self._pool.fetchval("select feed from sequence_head")
            except Exception as error:  # noqa: BLE001  whatever it is: the next hint or look may do
                log.warning("feed_head_unread", error=type(error).__name__)
            else:
                self._advance(head)
            await wait_for(self._hint, self._poll_seconds)

    def _advance(self, head: int) -> None:
        if head != self._head:
            self._head = head
            moved, self._moved = self._moved, asyncio.Event()
            moved.set()
