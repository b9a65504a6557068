"""Verdicts to Kafka, by a cursor that one broker at a time moves: at least once, with stable ids, in order.

The rows are numbered without gaps in commit order, so a cursor can pass over none of them. A relay that
loses its lease in mid-page may have sent some verdicts that its successor sends again.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import asyncpg
from aiokafka.errors import KafkaError

from services.broker import metrics
from services.broker.verdict_producer import StoredVerdict, VerdictProducer
from services.runtime.logs import logger
from services.runtime.stopping import wait_for

if TYPE_CHECKING:
    from services.broker.settings import BrokerSettings
    from services.broker.status import BrokerStatus

log = logger(__name__)
READER = "verdicts"
LEASE = """
update reader_cursor set owner = $2, expires_at = now() + make_interval(secs => $3)
where reader = $1 and (owner is null or owner = $2 or expires_at < now())
returning position
"""
PAGE = """
select verdict_seq, subject, body, judged_at from verdict where verdict_seq > $1 order by verdict_seq limit $2
"""
ADVANCE = """
update reader_cursor set position = $4, expires_at = now() + make_interval(secs => $3)
where reader = $1 and owner = $2 and position = $5
"""
RELEASE = "update reader_cursor set owner = null, expires_at = null where reader = $1 and owner = $2"
STANDING = (
    "select c.position, h.verdict - c.position from reader_cursor c, sequence_head h where c.reader = $1"
)
_RENEWALS = 3  # per lease, while there is nothing to send


class VerdictRelay:
    """`wake` is called when there may be something to send."""

    def __init__(
        self, pool: asyncpg.Pool, producer: VerdictProducer, owner: str, settings: BrokerSettings,
        status: BrokerStatus,
    ) -> None:  # fmt: skip
        self._pool = pool
        self._producer = producer
        self._owner = owner
        self._settings = settings
        self._status = status
        self._woken = asyncio.Event()

    def wake(self) -> None:
        self._woken.set()

    async def run(self, stop: asyncio.Event) -> None:
        stopped = asyncio.create_task(stop.wait(), name="relay-stop")
        stopped.add_done_callback(lambda _: self.wake())
        try:
            while not stop.is_set():
                await self._turn(stop)
        finally:
            stopped.cancel()
            await self._release()
            await self._producer.close()

    async def _turn(self, stop: asyncio.Event) -> None:
        """Send all there is, then wait for more."""
        try:
            sent = await self.send_page()
            self._status.relay_error = None
        except (KafkaError, OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            self._status.relay_error = type(error).__name__
            log.warning("relay_waits", error=type(error).__name__)
            await self._producer.close()  # it may hold half a page: the next one starts from the cursor
            await wait_for(stop, self._settings.relay_poll_seconds)
            return
        if not sent:
            patience = min(self._settings.relay_poll_seconds, self._settings.relay_lease_seconds / _RENEWALS)
            await wait_for(self._woken, patience)
            self._woken.clear()

    async def send_page(self) -> int:
        """Lease, read, send, advance; how many verdicts were sent. 0 if another broker has the lease."""
        self._woken.clear()
        lease = self._settings.relay_lease_seconds
        position = await self._pool.fetchval(LEASE, READER, self._owner, lease)
        self._status.relay_owner = position is not None
        await self._show()
        if position is None:
            return 0
        page = [
            StoredVerdict(*row) for row in await self._pool.fetch(PAGE, position, self._settings.relay_page)
        ]
        if not page:
            return 0
        async with asyncio.timeout(lease):
            await self._producer.send(page)
        await self._pool.execute(ADVANCE, READER, self._owner, lease, page[-1].verdict_seq, position)
        metrics.RELAYED.inc(len(page))
        return len(page)

    async def _show(self) -> None:
        standing = await self._pool.fetchrow(STANDING, READER)
        if standing is not None:
            self._status.relay_position, self._status.relay_lag = standing
            metrics.RELAY_LAG.set(standing[1])

    async def _release(self) -> None:
        """So that the next broker need not wait for the lease to end."""
        try:
            await self._pool.execute(RELEASE, READER, self._owner)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            log.warning("relay_lease_not_released", error=type(error).__name__)
