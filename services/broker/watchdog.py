"""The watchdog: a thread that ends the process when its event loop or its intake stands still.

A thread, because what it watches for includes an event loop that never comes back; an exit, because
aiokafka is known to lose its fetcher or its place in the group without a word (aiokafka #847, #1154), and a
supervisor's restart is the only cure that covers all of them.
"""

from __future__ import annotations

import faulthandler
import os
import sys
import threading
from typing import TYPE_CHECKING

from services.broker import metrics
from services.runtime.logs import logger
from services.runtime.stopping import wait_for

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from services.broker.status import BrokerStatus

log = logger(__name__)
EXIT_STALLED = 75  # EX_TEMPFAIL of sysexits.h: try again
_BEAT_SECONDS = 0.5


def _end_process(what: str) -> None:
    log.critical("stalled", what=what, exit_code=EXIT_STALLED)
    faulthandler.dump_traceback(file=sys.stderr, all_threads=True)
    os._exit(EXIT_STALLED)


class Watchdog:
    """Started once; `stop` is idempotent. `end` is replaced in tests."""

    def __init__(
        self, status: BrokerStatus, stall_seconds: float, end: Callable[[str], None] = _end_process
    ) -> None:
        self._status = status
        self._seconds = stall_seconds
        self._end = end
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()

    def _watch(self) -> None:
        while not self._stopped.wait(min(_BEAT_SECONDS, self._seconds / 4)):
            if (what := self._status.stalled(self._seconds)) is not None:
                self._end(what)
                return


async def beat(status: BrokerStatus, stop: asyncio.Event) -> None:
    """Show that the event loop runs, and measure how late it comes."""
    while not stop.is_set():
        before = status.clock()
        await wait_for(stop, _BEAT_SECONDS)
        status.loop_beat = status.clock()
        if not stop.is_set():
            metrics.LOOP_LAG.observe(max(0.0, status.loop_beat - before - _BEAT_SECONDS))
        metrics.POLL_AGE.set(status.age(status.polled_at))
