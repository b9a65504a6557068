"""The partitions that this broker reads: taken over, placed, given up. The only writer of
`status.assignment`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.broker import metrics
from services.broker.claims import Claim, Loss, accept, claim, lose, lost
from services.broker.status import PartitionStatus
from services.runtime.logs import logger

if TYPE_CHECKING:
    from collections.abc import Iterable

    import asyncpg

    from services.broker.source import EventSource, LogBounds
    from services.broker.status import BrokerStatus

log = logger(__name__)
FENCED = "FENCED"
_LOOKS = 3
"""Right after a change of leader Kafka may answer an end that lags behind: only the third such answer
counts.
"""


@dataclass(slots=True)
class Position:
    """Offsets of the next event: to be read, and not yet registered."""

    epoch: int
    read: int
    registered: int


class Partitions:
    """`session` rises whenever positions become void: what was read under an earlier one must not be
    written.
    """

    def __init__(
        self,
        source: EventSource,
        pool: asyncpg.Pool,
        status: BrokerStatus,
        *,
        accept_lost: bool,
        reclaim_seconds: float,
    ) -> None:
        self.session = 0
        self.positions: dict[int, Position] = {}
        self._source = source
        self._pool = pool
        self._status = status
        self._accept_lost = accept_lost
        self._reclaim_seconds = reclaim_seconds
        self._generation = 0
        self._not_before: dict[int, float] = {}
        self._suspected: dict[int, int] = {}

    async def take_over(self) -> None:
        """Place every assigned partition that is not: claim it, compare with the log, read on from there.

        PostgreSQL's errors and SourceError pass through; what was not placed is tried again on the next call.
        """
        if self._source.generation != self._generation:
            self.void()
            self._generation = self._source.generation
            self._not_before.clear()
            self._status.assignment = {}
            metrics.PARTITION_LAG.clear()
            metrics.PARTITION_ERROR.clear()
        now = self._status.clock()
        wanted = [
            partition
            for partition in self._source.assigned
            if partition not in self.positions and self._not_before.get(partition, 0.0) <= now
        ]
        if self._source.rebalancing:
            return
        self._status.started = self._generation > 0
        if not wanted:
            return
        topic_id = await self._source.topic_id()
        claims = await claim(self._pool, self._source.topic, topic_id, wanted)
        bounds = await self._source.bounds(wanted)
        if self._source.generation == self._generation:
            await self._place(claims, bounds, topic_id)

    async def check_log(self) -> None:
        """Look whether what is being read is still what it was, and how far the log reaches."""
        topic_id = await self._source.topic_id()
        bounds = await self._source.bounds(self.positions)
        for partition, bound in bounds.items():
            position, shown = self.positions.get(partition), self._status.assignment.get(partition)
            if position is None or shown is None:
                continue
            self._show(shown, bound)
            at = Claim(partition, position.epoch, position.registered, shown.topic_id, None)
            if lost(at, bound, topic_id) is not None:
                self.give_up([partition])

    def void(self) -> None:
        """Everything read so far and not registered is void."""
        self.session += 1
        self.positions.clear()

    def fenced(self, partitions: Iterable[int]) -> None:
        """Others have taken these over. If we are still assigned them a while later, it was a race: ours
        again.
        """
        metrics.BATCH_FENCED.inc()
        self.void()
        for partition in partitions:
            self._not_before[partition] = self._status.clock() + self._reclaim_seconds
            self._fail(partition, FENCED)
        log.warning("batch_fenced", partitions=list(partitions))

    def give_up(self, partitions: Iterable[int]) -> None:
        """Take these over anew: what comes next in them may be gone."""
        self.void()
        self._source.rest(partitions)

    def registered(self, offsets: dict[int, int]) -> None:
        """A batch was committed up to before these offsets."""
        for partition, offset in offsets.items():
            if (position := self.positions.get(partition)) is not None:
                position.registered = offset
            if (shown := self._status.assignment.get(partition)) is not None:
                shown.registered, shown.moved_at = offset, self._status.clock()

    async def _place(self, claims: list[Claim], bounds: dict[int, LogBounds], topic_id: str | None) -> None:
        offsets: dict[int, int] = {}
        losses: dict[int, str] = {}
        for found in claims:
            bound = bounds[found.partition]
            error = lost(found, bound, topic_id)
            if error == Loss.OFFSET_BEYOND_END and found.error is None and self._may_lag(found.partition):
                continue
            if error is not None and self._accept_lost:
                log.warning(
                    "lost_offsets_accepted",
                    partition=found.partition,
                    error=error,
                    next_offset=found.next_offset,
                    goes_on_at=bound.start,
                )
                await accept(
                    self._pool, self._source.topic, topic_id, [found], {found.partition: bound.start}
                )
                offsets[found.partition] = bound.start
            elif error is not None:
                losses[found.partition] = error
            else:
                offsets[found.partition] = found.next_offset
        epochs = {found.partition: found.epoch for found in claims}
        for partition, offset in offsets.items():
            self._suspected.pop(partition, None)
            self.positions[partition] = Position(epochs[partition], offset, offset)
            shown = PartitionStatus(partition, epochs[partition], offset, topic_id)
            self._status.assignment[partition] = shown
            metrics.PARTITION_ERROR.labels(str(partition)).set(0)
            self._show(shown, bounds[partition])
        self._source.seek(offsets)
        if losses:
            self._lose(losses, {found.partition: found for found in claims}, bounds)
            await lose(self._pool, self._source.topic, losses, epochs)

    def _lose(self, losses: dict[int, str], claims: dict[int, Claim], bounds: dict[int, LogBounds]) -> None:
        for partition, error in losses.items():
            found, bound = claims[partition], bounds[partition]
            self._not_before[partition] = float("inf")
            self._status.assignment[partition] = PartitionStatus(partition, found.epoch, found.next_offset)
            self._fail(partition, error)
            log.error(
                "partition_not_read",
                topic=self._source.topic, partition=partition, error=error, next_offset=found.next_offset,
                log_start=bound.start, log_end=bound.end, remedy="see kafka_accept_lost_offsets",
            )  # fmt: skip

    def _may_lag(self, partition: int) -> bool:
        looks = self._suspected[partition] = self._suspected.get(partition, 0) + 1
        if looks >= _LOOKS:
            return False
        self._not_before[partition] = self._status.clock() + 1.0
        return True

    def _fail(self, partition: int, error: str) -> None:
        shown = self._status.assignment.get(partition)
        if shown is not None:
            shown.error = error
        metrics.PARTITION_ERROR.labels(str(partition)).set(1)

    def _show(self, shown: PartitionStatus, bound: LogBounds) -> None:
        shown.log_end, shown.checked_at = bound.end, self._status.clock()
        if not shown.lag or shown.moved_at == 0.0:
            shown.moved_at = shown.checked_at
        metrics.PARTITION_LAG.labels(str(shown.partition)).set(shown.lag or 0)
