"""Stopping: the first SIGTERM or SIGINT asks, the second ends at once."""

from __future__ import annotations

import asyncio
import os
import signal

from services.runtime.logs import logger

log = logger(__name__)
EXIT_FORCED = 130


def stop_on_signals() -> asyncio.Event:
    """An event that the first SIGTERM or SIGINT sets; a second one ends the process with code 130."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def ask(signal_number: int) -> None:
        if stop.is_set():
            log.warning("stop_forced", signal=signal.Signals(signal_number).name)
            os._exit(EXIT_FORCED)
        log.info("stop_asked", signal=signal.Signals(signal_number).name)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ask, number)
    return stop


async def wait_for(event: asyncio.Event, seconds: float) -> bool:
    """Wait until `event` is set or `seconds` have passed; whether it is set."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return event.is_set()
    return True
