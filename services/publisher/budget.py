"""Bounds on what may be under way: units taken and given back, first come first served."""

from __future__ import annotations

import asyncio
from collections import deque


class Budget:
    """`size` units; `take` waits for one. Not for several threads."""

    def __init__(self, size: int) -> None:
        self._free = size
        self._waiters: deque[asyncio.Future[None]] = deque()

    @property
    def free(self) -> int:
        return self._free

    def try_take(self) -> bool:
        if self._free <= 0 or self._waiters:
            return False
        self._free -= 1
        return True

    def charge(self, units: int) -> None:
        """Take units that are in use already, even beyond the size."""
        self._free -= units

    async def take(self) -> None:
        if self.try_take():
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                self.give(1)  # it was ours already
            raise

    def give(self, units: int) -> None:
        self._free += units
        while self._free > 0 and self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                self._free -= 1
                waiter.set_result(None)
