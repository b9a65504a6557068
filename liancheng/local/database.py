"""The stack's database: roles and tables on a server of its own, or one that somebody has made already."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from secrets import token_hex
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from schemas.database import roles

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping

    from liancheng.embedded.postgres import EmbeddedPostgres

T = TypeVar("T")
NAME: Final = "liancheng"
_PASSWORD_BYTES: Final = 16


class MigratedDatabase(Protocol):
    """A database that is there, with roles and tables, such as `tests.stack.TestDatabase`."""

    @property
    def role_dsns(self) -> Mapping[str, str]:
        """A connection URI for each role of `schemas.database.roles`."""


class EmbeddedDatabase:
    """The database `liancheng` on an embedded server; the URIs are known before the server runs."""

    def __init__(self, server: EmbeddedPostgres) -> None:
        self.server = server
        self._passwords = {role: token_hex(_PASSWORD_BYTES) for role in roles.ROLES}

    @property
    def role_dsns(self) -> Mapping[str, str]:
        address = f"127.0.0.1:{self.server.port}/{NAME}"
        return {role: f"postgresql://{role}:{secret}@{address}" for role, secret in self._passwords.items()}

    async def prepare(self) -> None:
        """Make database, roles and tables, as far as they are missing; the server must run."""
        from schemas.database import migrate  # noqa: PLC0415 - Alembic is slow to load, and so is SQLAlchemy

        superuser = self.server.superuser_dsn()
        connection = await asyncpg.connect(superuser)
        try:
            if not await connection.fetchval("select 1 from pg_database where datname = $1", NAME):
                await connection.execute(f"create database {NAME}")
        finally:
            await connection.close()
        connection = await asyncpg.connect(urlunsplit(urlsplit(superuser)._replace(path=f"/{NAME}")))
        try:
            await roles.ensure_roles(connection, self._passwords, NAME)
        finally:
            await connection.close()
        await migrate.upgrade(self.role_dsns[roles.MIGRATOR])


def run_apart(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end on a thread and loop of its own: the caller may be inside another loop."""
    with ThreadPoolExecutor(1, "local-stack") as thread:
        return thread.submit(asyncio.run, work).result()
