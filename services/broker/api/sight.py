"""Least sight: every transaction first tells the database for whom it asks; row-level security does the rest.

The settings end with the transaction (`set_config(…, is_local => true)`), so a connection that goes back to
the pool carries nobody's sight, and a handler that forgot its filter still sees the grant only.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import asyncpg

    from services.broker.api.keys import Principal

_TELL = """
select set_config('liancheng.sight', $1, true), set_config('liancheng.areas', $2, true),
    set_config('liancheng.regions', $3, true), set_config('liancheng.reader', $4, true)
"""


@asynccontextmanager
async def seen_by(
    principal: Principal, pool: asyncpg.Pool, acquire_seconds: float, *, writes: bool = False
) -> AsyncIterator[asyncpg.Connection]:
    """A transaction that sees what `principal` may see; read-only unless it `writes` to the ledger."""
    async with (
        pool.acquire(timeout=acquire_seconds) as connection,
        connection.transaction(readonly=not writes),
    ):
        await connection.execute(
            _TELL,
            "all" if principal.sees_all else "grant",
            ",".join(sorted(principal.areas)),
            ",".join(sorted(principal.regions)),
            principal.reader,
        )
        yield connection
