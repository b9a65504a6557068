"""Group commit: arrivals wait while one batch is being written, and go out together in the next."""

from __future__ import annotations

import asyncio
from collections import deque
from functools import partial
from typing import TYPE_CHECKING

from services.runtime.logs import logger

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Executor

    from services.simulator.judgement import Verdict
    from services.simulator.store import Arrival, Writer

    Settled = Callable[[Verdict | None], None]

log = logger(__name__)


class Journal:
    """Hands arrivals to the writer in their order; `executor` must have exactly one thread.

    The callback of an arrival gets its verdict once it is durable, or None if it could not be written.
    """

    def __init__(self, writer: Writer, executor: Executor, commit_rows: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._writer = writer
        self._executor = executor
        self._commit_rows = commit_rows
        self._waiting: deque[tuple[Arrival, Settled]] = deque()
        self._writing = False
        self._idle = asyncio.Event()
        self.healthy = True

    def append(self, arrival: Arrival, settled: Settled) -> None:
        self._waiting.append((arrival, settled))
        if not self._writing:
            self._writing = True
            # Not at once: what else this turn of the loop reads from the sockets shares the commit.
            self._loop.call_soon(self._write)

    async def written(self) -> None:
        """Wait until everything appended has been written."""
        while self._writing:
            self._idle.clear()
            await self._idle.wait()

    def _write(self) -> None:
        size = min(len(self._waiting), self._commit_rows)
        batch = [self._waiting.popleft() for _ in range(size)]
        written = self._loop.run_in_executor(
            self._executor, self._writer.record, [arrival for arrival, _ in batch]
        )
        written.add_done_callback(partial(self._settle, [settled for _, settled in batch]))

    def _settle(self, waiting: list[Settled], written: asyncio.Future[list[Verdict]]) -> None:
        error = written.exception()
        self.healthy = error is None
        if error is not None:
            log.error("arrivals_not_recorded", arrivals=len(waiting), exc_info=error)
        verdicts: Sequence[Verdict | None] = [None] * len(waiting) if error is not None else written.result()
        if self._waiting:
            self._write()
        else:
            self._writing = False
            self._idle.set()
        for settled, verdict in zip(waiting, verdicts, strict=True):
            settled(verdict)
