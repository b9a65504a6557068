"""The connection that batches go through: one, kept, with plans that probe indexes and JSON as bytes."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import asyncpg

if TYPE_CHECKING:
    from collections.abc import Mapping

_PLANNING = {
    # Every statement on it looks rows up by key. A plan made while a table is empty must not scan it later.
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "plan_cache_mode": "force_generic_plan",
    "jit": "off",
}


class HotConnection:
    """Opens when first asked for and after `drop`. Not for two tasks at once."""

    def __init__(
        self, dsn: str, application: str, settings: Mapping[str, str], command_timeout: float
    ) -> None:
        self._dsn = dsn
        self._settings = {"application_name": application, "timezone": "UTC", **_PLANNING, **settings}
        self._command_timeout = command_timeout
        self._connection: asyncpg.Connection | None = None

    async def get(self) -> asyncpg.Connection:
        if self._connection is None or self._connection.is_closed():
            connection = await asyncpg.connect(
                self._dsn, server_settings=self._settings, command_timeout=self._command_timeout
            )
            await connection.set_type_codec(
                "json", schema="pg_catalog", encoder=_same, decoder=_same, format="binary"
            )
            self._connection = connection
        return self._connection

    async def drop(self) -> None:
        """Forget the connection: whatever state it is in, the next `get` opens another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError):
                await connection.close(timeout=5)


def _same(value: Any) -> Any:
    return value
