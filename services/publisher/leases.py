"""Leases on (destination, shard): claimed, shared fairly among the living, handed back.

A claim raises the token: whatever an earlier owner still tries to settle is refused by it. Claims are made
with SKIP LOCKED, so publishers never wait for each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    import asyncpg

_ENSURE = """
insert into lease (destination, shard, position, intent_to)
select d.code, s, d.start_after, d.start_after
from destination d cross join generate_series(0, d.shards - 1) s
where d.state = 'ACTIVE'
on conflict do nothing
"""
_PRESENT = """
insert into publisher_presence (publisher, seen_at) values ($1, clock_timestamp())
on conflict (publisher) do update set seen_at = excluded.seen_at
"""
_FORGET_ABSENT = """
delete from publisher_presence where seen_at < clock_timestamp() - make_interval(secs => $1)
"""
_COUNTS = """
select (select count(*) from publisher_presence)::int,
       (select count(*) from lease l join destination d on d.code = l.destination
        where d.state = 'ACTIVE' and l.shard < d.shards)::int
"""
# Those of destinations that this process holds least of come first, so that each one's shards spread.
_CLAIM = """
update lease l set owner = $1, token = l.token + 1,
    expires_at = clock_timestamp() + make_interval(secs => $2)
from (
    select free.destination, free.shard from lease free join destination d on d.code = free.destination
    where d.state = 'ACTIVE' and d.code = any($4::text[]) and free.shard < d.shards
      and (free.owner is null or free.expires_at < clock_timestamp())
    order by (select count(*) from lease own where own.destination = free.destination and own.owner = $1),
             random()
    limit $3 for update of free skip locked
) free
where l.destination = free.destination and l.shard = free.shard
returning l.destination, l.shard, l.token, l.position, l.intent_to
"""
_RELEASE = """
update lease l set owner = null, expires_at = null
from unnest($2::text[], $3::int[], $4::bigint[]) v(destination, shard, token)
where l.destination = v.destination and l.shard = v.shard and l.token = v.token and l.owner = $1
"""


@dataclass(slots=True, frozen=True)
class Claimed:
    """A lease just won. Rows after `position` up to `intent_to` may have left under an earlier token."""

    destination: str
    shard: int
    token: int
    position: int
    intent_to: int


class Leases:
    """The statements; who holds what in this process is the service's affair."""

    def __init__(self, pool: asyncpg.Pool, owner: str, lease_seconds: float) -> None:
        self._pool, self._owner, self._lease_seconds = pool, owner, lease_seconds

    async def fair_share(self) -> int:
        """Announce that this process lives; how many leases each living one should hold (rounded up)."""
        async with self._pool.acquire() as connection:
            await connection.execute(_PRESENT, self._owner)
            await connection.execute(_FORGET_ABSENT, self._lease_seconds)
            await connection.execute(_ENSURE)
            row = await connection.fetchrow(_COUNTS)
        alive, leases = int(row[0]), int(row[1])
        return -(-leases // max(alive, 1))

    async def claim(self, most: int, destinations: Iterable[str]) -> list[Claimed]:
        """Win up to `most` free or lapsed leases of `destinations`."""
        rows = await self._pool.fetch(_CLAIM, self._owner, self._lease_seconds, most, list(destinations))
        return [Claimed(*row) for row in rows]

    async def release(self, held: Iterable[tuple[str, int, int]]) -> None:
        """Hand back (destination, shard, token)s so that a successor need not wait for them to lapse."""
        rows = list(held)
        if rows:
            await self._pool.execute(_RELEASE, self._owner, *map(list, zip(*rows, strict=True)))

    async def leave(self) -> None:
        """Announce no longer that this process lives."""
        await self._pool.execute("delete from publisher_presence where publisher = $1", self._owner)
