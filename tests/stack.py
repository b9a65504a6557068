"""Servers, databases and topics for tests.

One PostgreSQL and one Kafka serve a whole session: embedded ones, or those that the environment names in
`DATABASE_SUPERUSER_DSN` (for tests alone: they set the roles' passwords) and `KAFKA_BOOTSTRAP`;
`LIANCHENG_TEST_CONTAINERS=1` takes both from Docker. A test that stops or kills a server takes a private one.
"""

from __future__ import annotations

import os
import re
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from secrets import token_hex
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

import asyncpg
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from liancheng.embedded.kafka import EmbeddedKafka
from liancheng.embedded.postgres import EmbeddedPostgres
from liancheng.embedded.scratch import scratch_folder
from schemas.database import migrate, roles

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@dataclass(frozen=True)
class TestDatabase:
    """A database of one test, migrated and empty, with a login for each role."""

    __test__ = False  # not a class of tests

    name: str
    superuser_dsn: str
    role_dsns: Mapping[str, str]

    @property
    def migrator_dsn(self) -> str:
        return self.role_dsns[roles.MIGRATOR]

    @property
    def broker_dsn(self) -> str:
        return self.role_dsns[roles.BROKER]

    @property
    def publisher_dsn(self) -> str:
        return self.role_dsns[roles.PUBLISHER]

    @property
    def api_dsn(self) -> str:
        return self.role_dsns[roles.API]


@dataclass(frozen=True)
class PostgresServer:
    """A server on which tests make databases; `template` is the migrated one that they are copied from."""

    superuser_dsn: str
    passwords: Mapping[str, str] = field(
        default_factory=lambda: {role: token_hex(12) for role in roles.ROLES}
    )
    template: str | None = None

    def dsn(self, database: str, role: str | None = None) -> str:
        parts = urlsplit(self.superuser_dsn)
        address = parts.netloc.rpartition("@")[2]
        netloc = f"{role}:{self.passwords[role]}@{address}" if role else parts.netloc
        return urlunsplit(parts._replace(netloc=netloc, path=f"/{database}"))


async def with_template(server: PostgresServer) -> PostgresServer:
    """The same server, with a migrated database that `create_database` then copies."""
    template = await create_database(server)
    return replace(server, template=template.name)


async def create_database(server: PostgresServer, *, migrated: bool = True) -> TestDatabase:
    """A new database with the four roles: a copy of the template, or migrated here, or without any table."""
    name = f"liancheng_test_{token_hex(6)}"
    source = server.template if migrated and server.template else "template0"
    await _execute(server.superuser_dsn, f"create database {name} template {source}")
    connection = await asyncpg.connect(server.dsn(name))
    try:
        # For a copy too: it does not inherit the grants on the database itself.
        await roles.ensure_roles(connection, server.passwords, name)
    finally:
        await connection.close()
    if migrated and not server.template:
        await migrate.upgrade(server.dsn(name, roles.MIGRATOR))
    return TestDatabase(name, server.dsn(name), {role: server.dsn(name, role) for role in roles.ROLES})


async def drop_database(server: PostgresServer, name: str) -> None:
    await _execute(server.superuser_dsn, f"drop database if exists {name} with (force)")


async def _execute(dsn: str, statement: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def create_topic(bootstrap: str, name: str, partitions: int) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        answer = await admin.create_topics([NewTopic(name, partitions, 1)])
        for topic, code, message in answer.topic_errors:
            assert code == 0, f"{topic}: error {code}: {message}"
    finally:
        await admin.close()


async def delete_topics(bootstrap: str, names: list[str]) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.delete_topics(names)
    finally:
        await admin.close()


def topic_name(test_name: str) -> str:
    """Unique, and says in the broker's log which test it belongs to."""
    return f"{re.sub(r'[^A-Za-z0-9._-]', '-', test_name)[:80]}-{token_hex(4)}"


@contextmanager
def session_postgres() -> Iterator[str]:
    """A superuser's DSN to the server of the session."""
    if dsn := os.environ.get("DATABASE_SUPERUSER_DSN"):
        yield dsn
    elif _containers_wanted():
        from tests.containers import postgres_container

        with postgres_container() as dsn:
            yield dsn
    else:
        with scratch_folder("liancheng-test-") as folder, EmbeddedPostgres(folder / "postgres") as server:
            yield server.superuser_dsn()


@contextmanager
def session_kafka() -> Iterator[str]:
    """The bootstrap address of the Kafka of the session."""
    if bootstrap := os.environ.get("KAFKA_BOOTSTRAP"):
        yield bootstrap
    elif _containers_wanted():
        from tests.containers import kafka_container

        with kafka_container() as bootstrap:
            yield bootstrap
    else:
        with scratch_folder("liancheng-test-") as folder, EmbeddedKafka(folder / "kafka") as server:
            yield server.bootstrap


def _containers_wanted() -> bool:
    return os.environ.get("LIANCHENG_TEST_CONTAINERS") == "1"
