"""LISTEN on one channel for the life of a process. Notifications are hints: a lost connection is no loss."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import asyncpg
from tenacity import AsyncRetrying, retry_if_exception, wait_random_exponential

from services.runtime.logs import logger
from services.runtime.postgres import is_connection_loss

if TYPE_CHECKING:
    from collections.abc import Callable

log = logger(__name__)


async def listen(dsn: str, channel: str, heard: Callable[[], None]) -> None:
    """Call `heard` for every notification and after every reconnection; returns only when cancelled."""
    while True:
        async for attempt in AsyncRetrying(
            retry=retry_if_exception(is_connection_loss), wait=wait_random_exponential(0.1, max=3)
        ):
            with attempt:
                connection = await asyncpg.connect(
                    dsn, server_settings={"application_name": f"liancheng-listen {channel}"}
                )
        gone = asyncio.Event()
        try:
            connection.add_termination_listener(lambda _connection, gone=gone: gone.set())
            await connection.add_listener(channel, lambda *_: heard())
            heard()
            await gone.wait()
        except Exception as error:
            if not is_connection_loss(error):
                raise
        finally:
            if not connection.is_closed():
                await connection.close(timeout=1)
        log.warning("listener_reconnects", channel=channel)
