"""Fixtures that every folder of tests shares; what they do is in `tests/stack.py`."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Protocol

import pytest
import pytest_asyncio

from liancheng.embedded.kafka import EmbeddedKafka
from liancheng.embedded.postgres import EmbeddedPostgres
from liancheng.embedded.scratch import scratch_folder
from tests import stack

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator


class PrivatePostgres(Protocol):
    """Makes a server for this test alone, not started yet; settings as for `EmbeddedPostgres`."""

    def __call__(self, **settings: Any) -> EmbeddedPostgres: ...


class PrivateKafka(Protocol):
    """Makes a server for this test alone, not started yet; settings as for `EmbeddedKafka`."""

    def __call__(self, **settings: Any) -> EmbeddedKafka: ...


class TopicFactory(Protocol):
    """Makes a topic with a name of its own, and returns the name."""

    async def __call__(self, partitions: int = 1) -> str: ...


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[stack.PostgresServer]:
    """The PostgreSQL of the session, with the migrated template."""
    with stack.session_postgres() as dsn:
        server = asyncio.run(stack.with_template(stack.PostgresServer(dsn)))
        yield server
        assert server.template
        asyncio.run(stack.drop_database(server, server.template))


@pytest.fixture(scope="session")
def kafka_server() -> Iterator[str]:
    """The bootstrap address of the Kafka of the session."""
    with stack.session_kafka() as bootstrap:
        yield bootstrap


@pytest_asyncio.fixture
async def database(postgres_server: stack.PostgresServer) -> AsyncIterator[stack.TestDatabase]:
    """A database of its own for this test: migrated, empty, with a login for each role."""
    created = await stack.create_database(postgres_server)
    yield created
    await stack.drop_database(postgres_server, created.name)


@pytest_asyncio.fixture
async def topic_factory(kafka_server: str, request: pytest.FixtureRequest) -> AsyncIterator[TopicFactory]:
    """`await topic_factory(partitions=4)`; the topics are deleted after the test."""
    made: list[str] = []

    async def make(partitions: int = 1) -> str:
        name = stack.topic_name(request.node.name)
        await stack.create_topic(kafka_server, name, partitions)
        made.append(name)
        return name

    yield make
    if made:
        await stack.delete_topics(kafka_server, made)


@pytest.fixture
def private_postgres() -> Iterator[PrivatePostgres]:
    """For tests that stop or kill their server: it is stopped, and its data are removed, after the test."""
    with ExitStack() as cleanup:

        def make(**settings: Any) -> EmbeddedPostgres:
            folder = cleanup.enter_context(scratch_folder("liancheng-test-"))
            server = EmbeddedPostgres(folder / "postgres", **settings)
            cleanup.callback(server.stop, "immediate")
            return server

        yield make


@pytest.fixture
def private_kafka() -> Iterator[PrivateKafka]:
    """For tests that stop or kill their server: it is killed, and its data are removed, after the test."""
    with ExitStack() as cleanup:

        def make(**settings: Any) -> EmbeddedKafka:
            folder = cleanup.enter_context(scratch_folder("liancheng-test-"))
            server = EmbeddedKafka(folder / "kafka", **settings)
            cleanup.callback(server.kill)
            return server

        yield make
