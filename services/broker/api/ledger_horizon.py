"""How far the ledger can be read without ever missing an entry.

Entries take their numbers when they are inserted and become visible when they commit, so a lower number may
appear after a higher one: a cursor that went by what is visible would skip it. A writer holds its lock on the
table from before it takes a number until it has committed. So: read the last number given out, then wait
until everybody who held the lock at that moment has let it go; nothing at or below that number can then
appear any more.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from services.broker.api.errors import unavailable

if TYPE_CHECKING:
    import asyncpg

_GIVEN_OUT = "select coalesce(pg_sequence_last_value('ledger_entry_id_seq'), 0)"
_WRITERS = """
select distinct virtualtransaction from pg_locks
where locktype = 'relation' and relation = 'ledger'::regclass and mode = 'RowExclusiveLock' and granted
    and database = (select oid from pg_database where datname = current_database())
    and pid <> pg_backend_pid()
"""
_LOOK_SECONDS = 0.005


async def settled_to(connection: asyncpg.Connection, patience_seconds: float) -> int:
    """The highest number below which no entry is still to come.

    Raises:
        ProblemError: 503 `E_LEDGER_BUSY` if a writer of that moment is still at it after `patience_seconds`.

    """
    now = asyncio.get_running_loop().time
    horizon: int = await connection.fetchval(_GIVEN_OUT)
    deadline, writers = now() + patience_seconds, await _writers(connection)
    while writers:
        if now() >= deadline:
            raise unavailable("E_LEDGER_BUSY", "A writer of the ledger has not committed yet.")
        await asyncio.sleep(_LOOK_SECONDS)
        writers &= await _writers(connection)
    return horizon


async def _writers(connection: asyncpg.Connection) -> set[str]:
    return {row["virtualtransaction"] for row in await connection.fetch(_WRITERS)}
