"""Each database role can do what its verb needs, and nothing else: the whole matrix, and statements that must
fail.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import asyncpg
import pytest

from schemas.database import roles

if TYPE_CHECKING:
    from tests.stack import TestDatabase

pytestmark = pytest.mark.asyncio

# Whole-table privileges; those on single columns are below.
MATRIX = {
    roles.BROKER: {
        "SELECT INSERT UPDATE DELETE": {"dead_letter"},
        "SELECT INSERT UPDATE": {"inbox", "subject", "record", "partition_cursor"},
        "SELECT INSERT": {"feed", "verdict"},
        "SELECT UPDATE": {"sequence_head", "reader_cursor"},
    },
    roles.PUBLISHER: {
        "SELECT INSERT UPDATE DELETE": {"parked_delivery", "publisher_presence"},
        "SELECT INSERT UPDATE": {"lease"},
        "SELECT INSERT": {"ledger"},
        "SELECT": {"feed", "sequence_head", "destination"},
    },
    roles.API: {
        "SELECT INSERT": {"ledger"},
        "SELECT": {
            "feed", "record", "inbox", "verdict", "subject", "sequence_head", "lease", "parked_delivery",
            "partition_cursor", "reader_cursor", "publisher_presence", "api_key",
        },
    },
}  # fmt: skip
COLUMNS = {
    roles.PUBLISHER: {
        "destination": {("UPDATE", "state"), ("UPDATE", "state_reason"), ("UPDATE", "updated_at")}
    },
    roles.API: {
        "destination": {
            ("SELECT", column)
            for column in (
                "code",
                "name_zh",
                "name_en",
                "agency_type",
                "channel",
                "areas",
                "regions",
                "state",
                "state_reason",
                "shards",
                "connections",
                "max_unsettled",
                "start_after",
                "created_at",
                "updated_at",
            )
        }
    },
}
APPEND_ONLY = [
    "update {table} set record_uid = 'x'",
    "delete from {table}",
    "truncate {table}",
]
FORBIDDEN = {
    roles.BROKER: [
        "select * from api_key",
        "select * from ledger",
        "insert into ledger (kind, reader, settled_at) values ('ATTEMPT', 'BANK', now())",
        "select secrets from destination",
        "select * from lease",
        "delete from record",
        "delete from inbox",
        "update verdict set verdict = 'ACCEPTED'",
        "insert into sequence_head default values",
        "delete from sequence_head",
        *[statement.format(table=table) for statement in APPEND_ONLY for table in ("feed", "ledger")],
    ],
    roles.PUBLISHER: [
        "insert into feed (seq) values (1)",
        "update sequence_head set feed = 1",
        "select * from api_key",
        "select * from inbox",
        "select * from record",
        "select * from dead_letter",
        "update destination set url = 'https://elsewhere.example/'",
        "update destination set secrets = ''",
        "insert into destination (code) values ('X')",
        "delete from destination",
        "delete from lease",
        "select ensure_partitions(1)",
        *[statement.format(table=table) for statement in APPEND_ONLY for table in ("feed", "ledger")],
    ],
    roles.API: [
        "insert into feed (seq) values (1)",
        "update record set state = 'REMOVED'",
        "update sequence_head set feed = 1",
        "insert into api_key (key_id, name, secret_sha256) values ('x', 'x', '')",
        "update api_key set scopes = '{admin}'",
        "delete from api_key",
        "select secrets from destination",
        "select url from destination",
        "select * from destination",
        "select * from dead_letter",
        "update lease set position = 0",
        "delete from parked_delivery",
        "insert into inbox (topic) values ('x')",
        "select ensure_partitions(1)",
        *[statement.format(table=table) for statement in APPEND_ONLY for table in ("feed", "ledger")],
    ],
}
FOR_NO_SERVICE = [
    "create table mine (x int)",
    "alter table feed disable trigger all",
    "alter table ledger disable row level security",
    "drop table ledger",
    "drop policy api on feed",
    "select * from alembic_version",
    "select * from partition_plan",
    "select * from feed_p000000",
    "delete from ledger_p000000",
    "set role liancheng_migrator",
    "create role another",
    "copy feed to program 'true'",
]
_GRANTED = """
select table_name, string_agg(privilege_type, ' ' order by
    position(privilege_type in 'SELECT INSERT UPDATE DELETE TRUNCATE REFERENCES TRIGGER')) as privileges
from information_schema.role_table_grants where grantee = $1 and table_schema = 'public' group by table_name
"""
_GRANTED_COLUMNS = """
select table_name, privilege_type, column_name from information_schema.column_privileges c
where grantee = $1 and table_schema = 'public' and not exists (
    select 1 from information_schema.role_table_grants t
    where t.grantee = c.grantee and t.table_name = c.table_name and t.privilege_type = c.privilege_type)
"""


async def test_the_grants_are_exactly_these(database: TestDatabase) -> None:
    connection = await asyncpg.connect(database.superuser_dsn)
    try:
        for role, expected in MATRIX.items():
            granted = {row["table_name"]: row["privileges"] for row in await connection.fetch(_GRANTED, role)}
            assert granted == {
                table: privileges for privileges, tables in expected.items() for table in tables
            }
            columns: dict[str, set[tuple[str, str]]] = {}
            for table, privilege, column in await connection.fetch(_GRANTED_COLUMNS, role):
                columns.setdefault(table, set()).add((privilege, column))
            assert columns == COLUMNS.get(role, {})
        everybody = await connection.fetch(
            "select table_name from information_schema.role_table_grants"
            " where grantee = 'PUBLIC' and table_schema = 'public'"
        )
        assert everybody == []
    finally:
        await connection.close()


async def refusal(connection: asyncpg.Connection, statement: str) -> str | None:
    try:
        await connection.execute(statement)
    except asyncpg.PostgresError as error:
        return type(error).__name__
    return None


@pytest.mark.parametrize("role", [roles.BROKER, roles.PUBLISHER, roles.API])
async def test_forbidden_statements_are_refused(database: TestDatabase, role: str) -> None:
    connection = await asyncpg.connect(database.role_dsns[role])
    try:
        for statement in (*FORBIDDEN[role], *FOR_NO_SERVICE):
            assert await refusal(connection, statement) == "InsufficientPrivilegeError", statement
    finally:
        await connection.close()


async def test_feed_and_ledger_refuse_change_even_to_their_owner(database: TestDatabase) -> None:
    owner = await asyncpg.connect(database.superuser_dsn)
    try:
        await owner.execute(
            "insert into feed (seq, record_uid, version, kind, op, state, subject, lane, lane_hash, body,"
            " registered_at) values (1, 'R', 1, 'RECORD', 'UPSERT', 'LISTED', 'S', 'S', 0, '', now())"
        )
        await owner.execute(
            "insert into ledger (kind, reader, record_uid, settled_at) values ('ATTEMPT', 'B', 'R', now())"
        )
        await owner.execute("set role liancheng_migrator")
        for table in ("feed", "ledger", "feed_p000000", "ledger_p000000"):
            for statement in APPEND_ONLY:
                with pytest.raises(asyncpg.InsufficientPrivilegeError, match="append-only"):
                    await owner.execute(statement.format(table=table))
            assert await owner.fetchval(f"select count(*) from {table}") == 1  # noqa: S608
    finally:
        await owner.close()


async def test_every_table_has_row_level_security_and_no_role_is_more_than_a_login(
    database: TestDatabase,
) -> None:
    connection = await asyncpg.connect(database.superuser_dsn)
    try:
        without = await connection.fetch(
            "select relname from pg_class where relnamespace = 'public'::regnamespace"
            " and relkind in ('r', 'p') and not relrowsecurity and relname !~ '_p[0-9]{6}$'"
            " and relname <> 'alembic_version'"
        )
        assert without == []
        for role in roles.ROLES:
            row = await connection.fetchrow("select * from pg_roles where rolname = $1", role)
            assert row["rolcanlogin"]
            for more in ("rolsuper", "rolcreaterole", "rolcreatedb", "rolreplication"):
                assert not row[more], (role, more)
        api = await connection.fetchval("select rolbypassrls from pg_roles where rolname = $1", roles.API)
        assert api is False, "the API is the role that row-level security is for"
    finally:
        await connection.close()
