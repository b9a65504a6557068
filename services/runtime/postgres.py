"""Connections to PostgreSQL: the first one waited for, each one with time-outs, lost ones recognised."""

from __future__ import annotations

from typing import TYPE_CHECKING

import asyncpg
from pydantic import BaseModel, Field
from tenacity import AsyncRetrying, retry_if_exception, stop_after_delay, wait_random_exponential

from services.runtime.logs import logger

if TYPE_CHECKING:
    from tenacity import RetryCallState

log = logger(__name__)


class DatabaseLimits(BaseModel, frozen=True):
    """Limits of every connection; milliseconds where not said otherwise."""

    statement_timeout_ms: int = Field(30_000, gt=0)
    lock_timeout_ms: int = Field(10_000, gt=0)
    idle_in_transaction_ms: int = Field(30_000, gt=0)
    command_timeout_s: float = Field(60.0, gt=0)
    connect_patience_s: float = Field(120.0, gt=0)


async def _keep_session(_connection: asyncpg.Connection) -> None:
    """Leave the session as it is when a connection goes back: we set nothing that outlives a transaction.

    (asyncpg's own reset is one more round trip for every use; an open transaction it rolls back anyway.)
    """


_LOST = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    # A server that shuts down says so before it closes the socket: for that moment the driver has a
    # connection on which nothing can be begun, and says it with this.
    asyncpg.InternalClientError,
    asyncpg.exceptions.AdminShutdownError,
    asyncpg.exceptions.CrashShutdownError,
    asyncpg.exceptions.CannotConnectNowError,
    asyncpg.exceptions.IdleInTransactionSessionTimeoutError,
    asyncpg.exceptions.TooManyConnectionsError,
    # After a fail-over the old session stays open on a server that is now read-only: as good as lost.
    asyncpg.exceptions.ReadOnlySQLTransactionError,
    TimeoutError,
)


def is_connection_loss(error: BaseException) -> bool:
    """Whether `error` says that the connection is gone or useless, and a new one may do."""
    return isinstance(error, _LOST)


async def connect_pool(
    dsn: str, application: str, *, min_size: int = 1, max_size: int, limits: DatabaseLimits | None = None
) -> asyncpg.Pool:
    """Open a pool, waiting for the server up to `connect_patience_s` and saying so."""
    limits = limits or DatabaseLimits()

    def say(state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        log.warning(
            "database_waited_for",
            application=application,
            attempt=state.attempt_number,
            next_in_seconds=round(state.upcoming_sleep, 2),
            error=type(error).__name__,
        )

    async for attempt in AsyncRetrying(
        retry=retry_if_exception(is_connection_loss),
        wait=wait_random_exponential(multiplier=0.1, max=3),
        stop=stop_after_delay(limits.connect_patience_s),
        before_sleep=say,
        reraise=True,
    ):
        with attempt:
            pool: asyncpg.Pool = await asyncpg.create_pool(
                dsn,
                min_size=min_size,
                max_size=max_size,
                command_timeout=limits.command_timeout_s,
                reset=_keep_session,
                server_settings={
                    "application_name": application,
                    "statement_timeout": str(limits.statement_timeout_ms),
                    "lock_timeout": str(limits.lock_timeout_ms),
                    "idle_in_transaction_session_timeout": str(limits.idle_in_transaction_ms),
                    "timezone": "UTC",
                },
            )
            return pool
    raise AssertionError("unreachable: the retrying either returns or raises")
