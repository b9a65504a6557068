"""Brings a database to a revision: one migrator at a time, with time-outs that spare the running services.

Shape after the Python Package Index's own migrations: an advisory lock around all of it, a short lock
time-out so that a migration gives way to traffic instead of queueing in front of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import asyncpg
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from schemas.database.metadata import METADATA

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

T = TypeVar("T")
MIGRATIONS = Path(__file__).parent.parent / "migrations"
ADVISORY_LOCK = 0x6C69616E_6368  # "lianch", one number for every migrator of this product


@dataclass(frozen=True, slots=True)
class MigrationTimeouts:
    """Milliseconds. A lock that does not come in `lock` means traffic: fail, and let the operator retry."""

    lock: int = 4_000
    statement: int = 60_000


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("file_template", "rev_%%(rev)s_%%(slug)s")
    config.attributes["connection"] = connection
    return config


def newest_revision() -> str:
    head = ScriptDirectory.from_config(_config()).get_current_head()
    if head is None:
        raise RuntimeError("no migration is shipped")
    return head


async def _with_connection(dsn: str, timeouts: MigrationTimeouts, work: Callable[[Connection], T]) -> T:
    async def connect() -> asyncpg.Connection:
        # By asyncpg itself, which reads the URL as all services do (`sslmode` is no keyword of SQLAlchemy's).
        return await asyncpg.connect(
            dsn,
            server_settings={
                "application_name": "liancheng-migrate",
                "lock_timeout": str(timeouts.lock),
                "statement_timeout": str(timeouts.statement),
            },
        )

    engine = create_async_engine("postgresql+asyncpg://", poolclass=NullPool, async_creator=connect)
    try:
        async with engine.connect() as connection:
            await connection.execute(text("set statement_timeout = 0"))
            await connection.execute(text("set lock_timeout = 0"))
            await connection.execute(text(f"select pg_advisory_lock({ADVISORY_LOCK})"))
            await connection.execute(text(f"set statement_timeout = {timeouts.statement}"))
            await connection.execute(text(f"set lock_timeout = {timeouts.lock}"))
            await connection.commit()
            try:
                result = await connection.run_sync(work)
                await connection.commit()
                return result
            finally:
                await connection.rollback()
                await connection.execute(text(f"select pg_advisory_unlock({ADVISORY_LOCK})"))
                await connection.commit()
    finally:
        await engine.dispose()


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


async def upgrade(
    dsn: str, revision: str = "head", timeouts: MigrationTimeouts | None = None
) -> tuple[str | None, str | None]:
    """Upgrade to `revision`; answers the revisions before and after. Safe to run many at once."""

    def work(connection: Connection) -> tuple[str | None, str | None]:
        before = _revision(connection)
        connection.rollback()
        command.upgrade(_config(connection), revision)
        return before, _revision(connection)

    return await _with_connection(dsn, timeouts or MigrationTimeouts(), work)


async def downgrade(dsn: str, revision: str = "base", timeouts: MigrationTimeouts | None = None) -> None:
    """Downgrade to `revision`: `base` leaves the database as empty as it was."""

    def work(connection: Connection) -> None:
        command.downgrade(_config(connection), revision)

    await _with_connection(dsn, timeouts or MigrationTimeouts(), work)


async def differences(dsn: str) -> list[object]:
    """What the table classes and the migrated database disagree on; empty when they are equal."""

    def is_ours(_object: object, name: str | None, kind: str, _reflected: bool, _compared: object) -> bool:
        return not (kind == "table" and name is not None and "_p0" in name)

    def work(connection: Connection) -> list[object]:
        context = MigrationContext.configure(
            connection,
            opts={"compare_type": True, "compare_server_default": True, "include_object": is_ours},
        )
        return list(compare_metadata(context, METADATA))

    return await _with_connection(dsn, MigrationTimeouts(), work)
