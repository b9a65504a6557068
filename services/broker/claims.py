"""Taking partitions over: their epochs raised, their next offsets read, and whether Kafka still has those."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import asyncpg

    from services.broker.source import LogBounds

CLAIM = """
insert into partition_cursor as c (topic, kafka_partition, topic_id, epoch)
select $1, k.kafka_partition, $2, 1 from unnest($3::int[]) k(kafka_partition)
on conflict (topic, kafka_partition) do update
    set epoch = c.epoch + 1, topic_id = coalesce(c.topic_id, excluded.topic_id), updated_at = now()
returning kafka_partition, epoch, next_offset, topic_id, error
"""
# Only under the epoch that saw it: whoever has taken over since sees for itself.
LOSE = """
update partition_cursor c set error = v.error, updated_at = now()
from unnest($2::int[], $3::bigint[], $4::text[]) v(kafka_partition, epoch, error)
where c.topic = $1 and c.kafka_partition = v.kafka_partition and c.epoch = v.epoch
"""
ACCEPT = """
update partition_cursor c set error = null, next_offset = v.next, topic_id = coalesce($2, c.topic_id),
    updated_at = now()
from unnest($3::int[], $4::bigint[], $5::bigint[]) v(kafka_partition, epoch, next)
where c.topic = $1 and c.kafka_partition = v.kafka_partition and c.epoch = v.epoch
"""


class Loss(StrEnum):
    """Why a partition is not read."""

    OFFSET_DELETED = "OFFSET_DELETED"
    """The log starts after the offset that comes next: retention was shorter than our standstill."""
    OFFSET_BEYOND_END = "OFFSET_BEYOND_END"
    """The log ends before the offset that comes next: messages that were registered are gone from Kafka."""
    TOPIC_RECREATED = "TOPIC_RECREATED"
    """It is another topic of the same name."""


@dataclass(frozen=True, slots=True)
class Claim:
    partition: int
    epoch: int
    next_offset: int
    topic_id: str | None
    error: str | None


def lost(claim: Claim, bounds: LogBounds, topic_id: str | None) -> str | None:
    """Whether Kafka no longer has what comes next, or once had not and nobody consented to go on. Pure."""
    if claim.error is not None:
        return claim.error
    if topic_id is not None and claim.topic_id not in (None, topic_id):
        return Loss.TOPIC_RECREATED
    if claim.next_offset < bounds.start:
        return Loss.OFFSET_DELETED
    if claim.next_offset > bounds.end:
        return Loss.OFFSET_BEYOND_END
    return None


async def claim(
    pool: asyncpg.Pool, topic: str, topic_id: str | None, partitions: Iterable[int]
) -> list[Claim]:
    """Raise the epochs, in one statement: what others still have under way for these partitions is void."""
    rows = await pool.fetch(CLAIM, topic, topic_id, sorted(partitions))
    return [Claim(*row) for row in rows]


async def lose(pool: asyncpg.Pool, topic: str, losses: Mapping[int, str], epochs: Mapping[int, int]) -> None:
    """Remember the losses, so that no other broker passes over them once Kafka's log has grown again."""
    partitions = sorted(losses)
    await pool.execute(
        LOSE, topic, partitions, [epochs[p] for p in partitions], [losses[p] for p in partitions]
    )


async def accept(
    pool: asyncpg.Pool, topic: str, topic_id: str | None, claims: Iterable[Claim], offsets: Mapping[int, int]
) -> None:
    """Go on at these offsets, as a person consented to."""
    found = list(claims)
    await pool.execute(
        ACCEPT,
        topic,
        topic_id,
        [c.partition for c in found],
        [c.epoch for c in found],
        [offsets[c.partition] for c in found],
    )
