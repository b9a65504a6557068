"""The cluster's roles: migrator, broker, publisher and API, each with a login of its own.

Made by a superuser (or a role that may create roles) before the first migration; a DBA may make them by
hand instead, under the same names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    import asyncpg

MIGRATOR = "liancheng_migrator"
BROKER = "liancheng_broker"
PUBLISHER = "liancheng_publisher"
API = "liancheng_api"
ROLES = (MIGRATOR, BROKER, PUBLISHER, API)

# PostgreSQL refuses COPY into a table with row-level security that applies to the role, and these two write
# by COPY. Their policies would let every row pass anyway; which tables and verbs are theirs, the grants say.
_WRITE_BY_COPY = frozenset({BROKER, PUBLISHER})

# Two bootstraps at once on one cluster would meet in pg_authid.
_ADVISORY_LOCK = 0x6C69616E_726F


async def ensure_roles(connection: asyncpg.Connection, passwords: Mapping[str, str], database: str) -> None:
    """Create what is missing of the four roles, set their passwords, and hand `database` to the migrator.

    `connection` is a superuser's, to `database` itself. Idempotent. Raises KeyError for a missing password.
    """
    async with connection.transaction():
        await connection.execute("select pg_advisory_xact_lock($1)", _ADVISORY_LOCK)
        for role in ROLES:
            exists = await connection.fetchval("select 1 from pg_roles where rolname = $1", role)
            verb = "alter" if exists else "create"
            statement = await connection.fetchval(
                "select format("
                "'%s role %I login nosuperuser nocreatedb nocreaterole %s password %L',"
                " $1::text, $2::text, $3::text, $4::text)",
                verb,
                role,
                "bypassrls" if role in _WRITE_BY_COPY else "nobypassrls",
                passwords[role],
            )
            await connection.execute(statement)
        for grant in (
            "revoke all on database %I from public",
            "grant connect on database %I to " + ", ".join(ROLES),
            f"alter database %I owner to {MIGRATOR}",
        ):
            await connection.execute(
                await connection.fetchval("select format($1::text, $2::text)", grant, database)
            )
        await connection.execute("revoke create on schema public from public")
        await connection.execute(f"alter schema public owner to {MIGRATOR}")
