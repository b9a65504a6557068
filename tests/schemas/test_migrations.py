"""Migrations: up from nothing, down to nothing, up again; equal to the table classes; any number at once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import asyncpg
import pytest
import pytest_asyncio

from schemas.database import migrate, roles
from tests import stack

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.asyncio
_OBJECTS = """
select 'relation' as kind, relname::text as name from pg_class where relnamespace = 'public'::regnamespace
union all select 'function', proname::text from pg_proc where pronamespace = 'public'::regnamespace
union all select 'type', typname::text from pg_type where typnamespace = 'public'::regnamespace
"""
_GRANTS = "select grantee, table_name, privilege_type from information_schema.role_table_grants"
_POLICIES = "select tablename, policyname, roles::text, cmd, qual, with_check from pg_policies"


@pytest_asyncio.fixture
async def empty_database(postgres_server: stack.PostgresServer) -> AsyncIterator[stack.TestDatabase]:
    """A database with the four roles and without any table."""
    created = await stack.create_database(postgres_server, migrated=False)
    yield created
    await stack.drop_database(postgres_server, created.name)


async def rows(database: stack.TestDatabase, query: str) -> set[tuple[object, ...]]:
    connection = await asyncpg.connect(database.superuser_dsn)
    try:
        return {tuple(row) for row in await connection.fetch(query)}
    finally:
        await connection.close()


async def test_up_from_nothing_down_to_nothing_and_up_again(empty_database: stack.TestDatabase) -> None:
    dsn = empty_database.migrator_dsn
    assert await rows(empty_database, _OBJECTS) == set()
    assert await migrate.upgrade(dsn) == (None, migrate.newest_revision())
    first = [await rows(empty_database, query) for query in (_OBJECTS, _GRANTS, _POLICIES)]
    assert await migrate.upgrade(dsn) == (migrate.newest_revision(), migrate.newest_revision())

    await migrate.downgrade(dsn)
    left = await rows(empty_database, _OBJECTS)
    assert {name for _, name in left if "alembic" not in str(name)} == set(), "alembic's own table may stay"

    assert await migrate.upgrade(dsn) == (None, migrate.newest_revision())
    assert [await rows(empty_database, query) for query in (_OBJECTS, _GRANTS, _POLICIES)] == first


async def test_the_table_classes_and_the_migrated_database_are_equal(database: stack.TestDatabase) -> None:
    assert await migrate.differences(database.migrator_dsn) == []


async def test_a_difference_would_be_seen(database: stack.TestDatabase) -> None:
    connection = await asyncpg.connect(database.migrator_dsn)
    try:
        await connection.execute("alter table record add column forgotten text")
        await connection.execute("drop index record_subject")
    finally:
        await connection.close()
    found = str(await migrate.differences(database.migrator_dsn))
    assert "forgotten" in found
    assert "record_subject" in found


async def test_migrators_at_once_take_turns(empty_database: stack.TestDatabase) -> None:
    dsn = empty_database.migrator_dsn
    done = await asyncio.gather(*(migrate.upgrade(dsn) for _ in range(4)))
    newest = migrate.newest_revision()
    assert sorted(done, key=str) == [(newest, newest)] * 3 + [(None, newest)]
    assert await migrate.differences(dsn) == []


async def test_a_migration_gives_way_to_traffic_and_leaves_nothing_half_done(
    database: stack.TestDatabase,
) -> None:
    reader = await asyncpg.connect(database.superuser_dsn)
    try:
        async with reader.transaction():
            await reader.fetch("select * from inbox")
            with pytest.raises(Exception, match="lock timeout"):
                await migrate.downgrade(database.migrator_dsn, "base", migrate.MigrationTimeouts(lock=200))
    finally:
        await reader.close()
    assert await migrate.differences(database.migrator_dsn) == []
    assert await migrate.upgrade(database.migrator_dsn) == (migrate.newest_revision(),) * 2


async def test_partitions_exist_ahead_and_are_made_further_ahead(database: stack.TestDatabase) -> None:
    connection = await asyncpg.connect(database.broker_dsn)
    try:
        headroom = {
            row["parent"]: row["ahead"]
            for row in await connection.fetch("select * from partition_headroom()")
        }
        assert headroom == {"feed": 2, "ledger": 2}
        assert await connection.fetchval("select ensure_partitions(2)") == 0
        await connection.execute("update sequence_head set feed = 2000000")
        headroom = {
            row["parent"]: row["ahead"]
            for row in await connection.fetch("select * from partition_headroom()")
        }
        assert headroom["feed"] == 1
        assert await connection.fetchval("select ensure_partitions(2)") == 1
    finally:
        await connection.close()


async def test_roles_can_be_ensured_again_and_at_once(postgres_server: stack.PostgresServer) -> None:
    created = await stack.create_database(postgres_server)

    async def ensure() -> None:
        connection = await asyncpg.connect(created.superuser_dsn)
        try:
            await roles.ensure_roles(connection, postgres_server.passwords, created.name)
        finally:
            await connection.close()

    try:
        await asyncio.gather(*(ensure() for _ in range(4)))
        connection = await asyncpg.connect(created.api_dsn)
        await connection.close()
    finally:
        await stack.drop_database(postgres_server, created.name)
