"""What is to be done now and then: partitions made ahead, dead letters purged."""

from __future__ import annotations

from typing import TYPE_CHECKING

import asyncpg

from services.broker import metrics
from services.broker.deadletters import purge
from services.runtime.logs import logger
from services.runtime.stopping import wait_for

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable
    from datetime import datetime

    from services.broker.settings import BrokerSettings
    from services.broker.status import BrokerStatus

log = logger(__name__)
ENSURE = "select ensure_partitions($1)"
HEADROOM = "select parent, ahead from partition_headroom()"


class Upkeep:
    def __init__(
        self, pool: asyncpg.Pool, settings: BrokerSettings, status: BrokerStatus, now: Callable[[], datetime]
    ) -> None:
        self._pool = pool
        self._settings = settings
        self._status = status
        self._now = now

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                await self.once()
                self._status.upkeep_error = None
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                self._status.upkeep_error = type(error).__name__
                log.warning("upkeep_failed", error=type(error).__name__)
            await wait_for(stop, self._settings.upkeep_seconds)

    async def once(self) -> None:
        made = await self._pool.fetchval(ENSURE, self._settings.partitions_ahead)
        if made:
            log.info("partitions_made", count=made)
        for table, ahead in await self._pool.fetch(HEADROOM):
            self._status.partitions_ahead[table] = ahead
            metrics.PARTITIONS_AHEAD.labels(table).set(ahead)
        if purged := await purge(self._pool, self._now()):
            metrics.DEAD_LETTERS_PURGED.inc(purged)
            log.info("dead_letters_purged", count=purged)
