"""One PostgreSQL transaction per batch: everything that comes of it, and how far Kafka is read, or nothing.

What goes wrong is told apart. A lost connection, a deadlock, a full disk: the same batch again, for as long
as it takes. A partition that moved on: FencedError, and the batch is void. What comes of the contents of a
message: the batch is split until that message is alone, and it goes to the dead letters, so that no message
can block the partition behind it.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import asyncpg
from tenacity import AsyncRetrying, retry_if_exception, wait_random_exponential

from services.broker import metrics
from services.broker.docket import hear, refuse_all
from services.broker.docket_store import write_inbox, write_versions
from services.broker.matter import Bench
from services.broker.register_report import report
from services.broker.situation_store import load_situation
from services.runtime.logs import logger
from services.runtime.postgres import is_connection_loss

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import date, datetime

    from tenacity import RetryCallState

    from services.broker.arrival import Arrival
    from services.broker.batch import Batch
    from services.broker.deadletters import LetterSeal
    from services.broker.docket import Docket
    from services.broker.hot_connection import HotConnection
    from services.broker.policy import Policy
    from services.broker.status import BrokerStatus

log = logger(__name__)

# First in the transaction: a zombie is refused before it works, and a take-over waits for a batch under way.
MOVE_CURSORS = """
update partition_cursor c set next_offset = v.next, updated_at = now()
from unnest($2::int[], $3::bigint[], $4::bigint[], $5::bigint[]) v(kafka_partition, epoch, first, next)
where c.topic = $1 and c.kafka_partition = v.kafka_partition and c.epoch = v.epoch and c.next_offset = v.first
returning c.kafka_partition
"""
# Two statements: a row that another transaction commits in between is seen and locked by the second.
FIND_SUBJECTS = "insert into subject (uscc) select unnest($1::text[]) on conflict do nothing"
LOCK_SUBJECTS = "select uscc from subject where uscc = any($1::text[]) order by uscc for update"
TAKE_IDS = "select array_agg(nextval('inbox_inbox_id_seq')) from generate_series(1, $1)"

_OF_THE_MESSAGE = (
    asyncpg.exceptions.DataError,
    asyncpg.exceptions.IntegrityConstraintViolationError,
    asyncpg.exceptions.ProgramLimitExceededError,
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
)
"""What the contents of a message can cause; asyncpg's own encoding errors are ValueErrors."""
_TRIES = 3
"""Two brokers that meet in a unique index see each other's rows on the second try."""


class FencedError(Exception):
    """These partitions have moved on under another epoch: the batch is void, and nothing of it was
    written.
    """

    def __init__(self, partitions: Sequence[int]) -> None:
        super().__init__(f"partitions {list(partitions)} have moved on")
        self.partitions = tuple(partitions)


class Clocks:
    """The two clocks: `now` is the real one, `today` the legal one's date in Asia/Shanghai."""

    def __init__(self, now: Callable[[], datetime], today: Callable[[], date]) -> None:
        self.now = now
        self.today = today


class Register:
    """Batches go through it one after another."""

    def __init__(
        self,
        connection: HotConnection,
        policy: Policy,
        seal: LetterSeal,
        clocks: Clocks,
        mint: Callable[[], str],
        status: BrokerStatus,
    ) -> None:
        self._connection = connection
        self._policy = policy
        self._seal = seal
        self._clocks = clocks
        self._mint = mint
        self._status = status

    async def register(self, batch: Batch) -> None:
        """Write all that comes of the batch. FencedError: nothing was written, and the partition is not
        ours.
        """
        started = time.perf_counter()
        for tries in range(1, _TRIES + 1):
            try:
                docket = await self._transact_until_it_can(batch)
            except _OF_THE_MESSAGE as error:
                metrics.BATCH_RETRIES.labels(type(error).__name__).inc()
                log.warning(
                    "batch_failed", error=type(error).__name__, events=len(batch.arrivals), tries=tries
                )
            else:
                metrics.BATCH_SECONDS.observe(time.perf_counter() - started)
                report(docket)
                return
        if len(batch.arrivals) > 1:
            for half in batch.halves():
                await self.register(half)
            return
        log.error(
            "message_unjudged",
            topic=batch.topic,
            offsets=[(span.partition, span.first) for span in batch.spans],
        )
        report(await self._transact_until_it_can(batch, unjudged=True))

    async def _transact_until_it_can(self, batch: Batch, *, unjudged: bool = False) -> Docket:
        def is_passing(error: BaseException) -> bool:
            if isinstance(error, FencedError) or not isinstance(error, Exception):
                return False
            return unjudged or not isinstance(error, _OF_THE_MESSAGE)

        async for attempt in AsyncRetrying(
            retry=retry_if_exception(is_passing),
            wait=wait_random_exponential(multiplier=0.02, max=2),
            before_sleep=self._say,
            reraise=True,
        ):
            with attempt:
                self._status.intake_beat = self._status.clock()
                try:
                    docket = await self._transact(batch, unjudged=unjudged)
                except Exception as error:
                    if is_connection_loss(error):
                        await self._connection.drop()
                    raise
                self._status.database_down_since = None
                self._status.registered_at = self._status.clock()
        return docket

    async def _transact(self, batch: Batch, *, unjudged: bool) -> Docket:
        connection = await self._connection.get()
        now = self._clocks.now()
        async with connection.transaction():
            await _move_cursors(connection, batch)
            await lock_subjects(connection, batch.arrivals)
            ids = await connection.fetchval(TAKE_IDS, len(batch.arrivals))
            for arrival, inbox_id in zip(batch.arrivals, ids, strict=True):
                arrival.inbox_id = inbox_id
            if unjudged:
                docket = refuse_all(batch.arrivals)
            else:
                situation = await load_situation(connection, batch.arrivals)
                bench = Bench(self._policy, self._clocks.today(), self._mint)
                docket = hear(batch.arrivals, situation, bench)
            await write_inbox(connection, docket, batch.topic, now, self._seal)
            await write_versions(connection, docket, now)
        return docket

    def _say(self, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome is not None else None
        metrics.BATCH_RETRIES.labels(type(error).__name__).inc()
        if self._status.database_down_since is None:
            self._status.database_down_since = self._status.clock()
        log.warning(
            "batch_waits",
            error=type(error).__name__,
            attempt=state.attempt_number,
            next_in_seconds=round(state.upcoming_sleep, 2),
        )


async def lock_subjects(connection: asyncpg.Connection, arrivals: Sequence[Arrival]) -> None:
    """Lock every code of the subjects of these events, in order. Of a refused event nothing is touched."""
    subjects = sorted(
        {a.event.subject for a in arrivals if not a.event.findings and a.event.subject is not None}
    )
    if subjects:
        await connection.execute(FIND_SUBJECTS, subjects)
        await connection.execute(LOCK_SUBJECTS, subjects)


async def _move_cursors(connection: asyncpg.Connection, batch: Batch) -> None:
    spans = batch.spans
    moved = await connection.fetch(
        MOVE_CURSORS,
        batch.topic,
        [span.partition for span in spans],
        [span.epoch for span in spans],
        [span.first for span in spans],
        [span.next for span in spans],
    )
    if len(moved) != len(spans):
        kept = {row["kafka_partition"] for row in moved}
        raise FencedError([span.partition for span in spans if span.partition not in kept])
