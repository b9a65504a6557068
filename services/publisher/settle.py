"""The settler: what happened becomes durable, in one transaction for all readers of this process.

One transaction carries, for every reader that has something: the lease forward (position, announced range,
its end), the ledger entries by COPY, parked lanes. While it commits the next one gathers. The lease row's
token is the fence: a reader that lost its lease gets nothing written, and is told.
"""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

import asyncpg

from services.publisher.ledger_entry import COLUMNS, Entry
from services.runtime.logs import logger
from services.runtime.postgres import is_connection_loss

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from services.publisher.shard_reader import Pending, ShardReader

log = logger(__name__)

_LEASES = """
update lease l set position = v.position, intent_to = v.intent_to,
    expires_at = clock_timestamp() + make_interval(secs => $7)
from unnest($1::text[], $2::int[], $3::bigint[], $4::bigint[], $5::bigint[])
    v(destination, shard, token, position, intent_to)
where l.destination = v.destination and l.shard = v.shard and l.token = v.token and l.owner = $6
returning l.destination, l.shard, pg_current_xact_id()::text
"""
_UNPARK = """
delete from parked_delivery p using unnest($1::text[], $2::bigint[]) v(destination, seq)
where p.destination = v.destination and p.seq = v.seq
"""
_PARK = """
insert into parked_delivery (destination, seq, shard, lane, record_uid, version, attempt, failures, due_at,
    last_error)
select * from unnest($1::text[], $2::bigint[], $3::int[], $4::text[], $5::text[], $6::int[], $7::int[],
    $8::int[], $9::timestamptz[], $10::text[])
on conflict (destination, seq) do update set attempt = excluded.attempt, failures = excluded.failures,
    due_at = excluded.due_at, last_error = excluded.last_error, in_flight = false
"""
_ANNOUNCE = """
update parked_delivery p set in_flight = true from unnest($1::text[], $2::bigint[]) v(destination, seq)
where p.destination = v.destination and p.seq = v.seq
"""


class _Part(NamedTuple):
    reader: ShardReader
    position: int
    intent_to: int
    pending: Pending


class Settler:
    """`changed` marks a reader; `run` settles until cancelled. `released(reader, units)` frees budget."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        owner: str,
        lease_seconds: float,
        margin_seconds: float,
        released: Callable[[ShardReader, int], None],
        lost: Callable[[ShardReader], None],
        failed: Callable[[], None] = lambda: None,
    ) -> None:
        self._pool, self._owner, self._lease_seconds = pool, owner, lease_seconds
        self._margin, self._released, self._lost, self._failed = margin_seconds, released, lost, failed
        self._readers: dict[ShardReader, None] = {}
        self._committing: dict[ShardReader, None] = {}
        self._something = asyncio.Event()
        self.transactions = 0
        self.entries = 0

    def changed(self, reader: ShardReader) -> None:
        if not reader.lost:
            self._readers[reader] = None
            self._something.set()

    def is_settled(self, reader: ShardReader) -> bool:
        """Whether nothing of the reader is waiting or under way."""
        return reader not in self._readers and reader not in self._committing

    async def run(self) -> None:
        while True:
            await self._something.wait()
            self._something.clear()
            self._committing, self._readers = self._readers, {}
            parts = [
                _Part(reader, reader.position, reader.loaded_to, reader.take_pending())
                for reader in self._committing
                if not reader.lost
            ]
            if parts:
                await self._settle(parts)
            self._committing = {}

    async def _settle(self, parts: list[_Part]) -> None:
        wait = 0.05
        while True:
            started = time.monotonic()
            xid: list[str] = []
            try:
                kept = await self._commit(parts, xid)
            except Exception as error:
                if not is_connection_loss(error):
                    raise
                log.warning("settle_retried", error=type(error).__name__, in_seconds=wait)
                self._failed()
                await asyncio.sleep(wait)
                wait = min(2.0, wait * 2)
                if not xid or not await self._committed(xid[0]):
                    continue
                kept = {(part.reader.destination, part.reader.shard) for part in parts}
            break
        self._conclude(parts, kept, started + self._lease_seconds - self._margin)

    def _conclude(self, parts: list[_Part], kept: set[tuple[str, int]], deadline: float) -> None:
        self.transactions += 1
        self._committing = {}
        for part in parts:
            reader = part.reader
            if (reader.destination, reader.shard) not in kept:
                self._lost(reader)
                continue
            reader.deadline = deadline
            reader.durable_position = part.position
            self.entries += len(part.pending.entries)
            self._released(reader, part.pending.released)
            reader.durable(part.pending)

    async def _commit(self, parts: list[_Part], xid: list[str]) -> set[tuple[str, int]]:
        if not any(part.pending.writes for part in parts):
            # Leases alone are one statement, and so a transaction by themselves.
            rows = await self._move_leases(self._pool, parts)
            return {(row[0], row[1]) for row in rows}
        async with self._pool.acquire() as connection, connection.transaction():
            rows = await self._move_leases(connection, parts)
            kept = {(row[0], row[1]) for row in rows}
            parts = [part for part in parts if (part.reader.destination, part.reader.shard) in kept]
            entries: list[Entry] = [entry for part in parts for entry in part.pending.entries]
            if entries:
                await connection.copy_records_to_table("ledger", records=entries, columns=COLUMNS)
            await self._write_parked(connection, parts)
            if rows:
                # From here on the outcome of COMMIT may be lost with the connection: ask for it by this id.
                xid.append(rows[0][2])
        return kept

    async def _move_leases(
        self, connection: asyncpg.Connection | asyncpg.Pool, parts: list[_Part]
    ) -> list[asyncpg.Record]:
        rows: list[asyncpg.Record] = await connection.fetch(
            _LEASES,
            [part.reader.destination for part in parts],
            [part.reader.shard for part in parts],
            [part.reader.token for part in parts],
            [part.position for part in parts],
            [part.intent_to for part in parts],
            self._owner,
            self._lease_seconds,
        )
        return rows

    async def _write_parked(self, connection: asyncpg.Connection, parts: list[_Part]) -> None:
        removed = [(p.reader.destination, seq) for p in parts for seq in p.pending.removed]
        if removed:
            await connection.execute(_UNPARK, *_columns(removed))
        monotonic, wall = time.monotonic(), datetime.now(UTC)
        stored = [
            (
                p.reader.destination,
                seq,
                p.reader.shard,
                d.lane.name,
                d.row.record_uid,
                d.row.version,
                d.attempt,
                d.lane.failures,
                wall + timedelta(seconds=d.lane.due_in(monotonic)),
                d.lane.last_error,
            )
            for p in parts
            for seq, d in p.pending.stored.items()
        ]
        if stored:
            await connection.execute(_PARK, *_columns(stored))
        announced = [(p.reader.destination, seq) for p in parts for seq in p.pending.retries]
        if announced:
            await connection.execute(_ANNOUNCE, *_columns(announced))

    async def _committed(self, xid: str) -> bool:
        """Whether the transaction whose COMMIT was cut off came through (PostgreSQL `pg_xact_status`)."""
        while True:
            try:
                status = await self._pool.fetchval("select pg_xact_status($1::text::xid8)", xid)
            except asyncpg.InvalidParameterValueError:
                # "in the future": the server crashed before it made anything of this transaction last.
                return False
            except Exception as error:
                if not is_connection_loss(error):
                    raise
                await asyncio.sleep(0.2)
                continue
            if status != "in progress":
                return bool(status == "committed")
            await asyncio.sleep(0.05)


def _columns(rows: Sequence[tuple[object, ...]]) -> list[list[object]]:
    return [list(column) for column in zip(*rows, strict=True)]
