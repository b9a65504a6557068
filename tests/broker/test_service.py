"""The whole broker in one event loop, against a real Kafka and a real PostgreSQL."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import asyncpg
import orjson
import pytest

from services.broker.emitting import VerdictWatch, read_emissions, send
from services.broker.service import Broker
from tests import stack
from tests.broker.events import changed, listing, overdue, revoked, uscc
from tests.broker.stand import assert_sound, broker_settings, test_clocks, until, verdict_counts

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from services.broker.settings import BrokerSettings
    from tests.conftest import PrivateKafka, PrivatePostgres, TopicFactory
    from tests.stack import TestDatabase

pytestmark = [pytest.mark.asyncio, pytest.mark.system]


@asynccontextmanager
async def broker(settings: BrokerSettings) -> AsyncIterator[Broker]:
    made, stop = Broker(settings, test_clocks()), asyncio.Event()
    running = asyncio.create_task(made.run(stop))
    try:
        await until(lambda: running.done() or made.status.started, 60)
        if running.done():
            running.result()
        yield made
    finally:
        stop.set()
        await running


def settings_for(
    database: TestDatabase, bootstrap: str, events: str, verdicts: str, **more: Any
) -> BrokerSettings:
    return broker_settings(
        database, topic=events, kafka_bootstrap=bootstrap, kafka_group=f"group-{events}",
        kafka_verdicts_topic=verdicts, kafka_session_timeout_ms=6_000, relay_poll_seconds=0.1,
        topic_check_seconds=0.5, **more,
    )  # fmt: skip


async def emit(settings: BrokerSettings, *events: dict[str, Any], binary: bool = False) -> None:
    lines = [orjson.dumps(event) for event in events]
    await send(settings, settings.kafka_events_topic, read_emissions(lines, binary=binary, only=()))


def listings(count: int, first: int = 0) -> list[dict[str, Any]]:
    return [listing(f"l-{n}", uscc(n), case_id=f"WH-{n}") for n in range(first, first + count)]


async def counted(pool: asyncpg.Pool, total: int, seconds: float = 60) -> None:
    async def reached() -> bool:
        try:
            return sum((await verdict_counts(pool)).values()) == total
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return False

    await until(reached, seconds)


@pytest.mark.parametrize("binary", [False, True], ids=["structured", "binary"])
async def test_events_in_and_verdicts_out(
    kafka_server: str,
    topic_factory: TopicFactory,
    database: TestDatabase,
    broker_pool: asyncpg.Pool,
    binary: bool,
) -> None:
    events, verdicts = await topic_factory(partitions=3), await topic_factory(partitions=2)
    settings = settings_for(database, kafka_server, events, verdicts)
    flawed = changed(listing("bad", uscc(5), case_id="WH-5"), "data.bases", [])
    async with broker(settings) as one:
        watch = VerdictWatch(settings, verdicts)
        await watch.start()
        await emit(settings, overdue(), listing(), revoked(), listing(), flawed, binary=binary)
        found = []
        async with asyncio.timeout(30):
            async for verdict in watch.verdicts():
                found.append((verdict["event"]["id"], verdict["verdict"], verdict["version"]))
                if len(found) == 5:
                    break
        await watch.stop()
        assert sorted(found, key=str) == [
            ("bad", "REFUSED", None),
            ("l-1", "ACCEPTED", 2),
            ("l-1", "DUPLICATE", None),
            ("o-1", "ACCEPTED", 1),
            ("r-1", "ACCEPTED", 3),
        ]
        await until(lambda: one.status.ready()[0])
    await assert_sound(broker_pool)


async def test_two_brokers_share_the_partitions_one_leaves_and_nothing_is_lost(
    kafka_server: str, topic_factory: TopicFactory, database: TestDatabase, broker_pool: asyncpg.Pool
) -> None:
    events, verdicts = await topic_factory(partitions=4), await topic_factory()
    settings = settings_for(database, kafka_server, events, verdicts, batch_events=50)
    async with broker(settings):
        sending = asyncio.create_task(emit(settings, *listings(400)))
        async with broker(settings) as two:
            await until(lambda: bool(two.status.assignment), 60)
            await sending
            await emit(settings, *listings(200, 400))
        await emit(settings, *listings(100, 600))
        await counted(broker_pool, 700)
    assert await verdict_counts(broker_pool) == {"ACCEPTED": 700}
    await assert_sound(broker_pool)


async def test_postgres_and_kafka_stop_for_a_while_and_all_work_resumes_by_itself(
    private_postgres: PrivatePostgres, private_kafka: PrivateKafka
) -> None:
    postgres, kafka = private_postgres(), private_kafka()
    await asyncio.gather(asyncio.to_thread(postgres.start), asyncio.to_thread(kafka.start))
    database = await stack.create_database(stack.PostgresServer(postgres.superuser_dsn()))
    for topic, partitions in (("events", 3), ("verdicts", 1)):
        await stack.create_topic(kafka.bootstrap, topic, partitions)
    settings = settings_for(database, kafka.bootstrap, "events", "verdicts", batch_events=50)
    pool = await asyncpg.create_pool(database.broker_dsn, min_size=0, max_size=2)
    async with broker(settings) as one:
        await emit(settings, *listings(100))
        await counted(pool, 100)

        await asyncio.to_thread(postgres.stop, "immediate")
        await emit(settings, *listings(100, 100))
        await until(lambda: one.status.database_down_since is not None)
        assert one.status.live(settings.stall_seconds)[0]
        assert "database down" in one.status.ready()[1]["problems"]
        await asyncio.sleep(2)
        await asyncio.to_thread(postgres.start)
        await counted(pool, 200)

        await asyncio.to_thread(kafka.kill)
        await asyncio.sleep(1)
        await asyncio.to_thread(kafka.start)
        await emit(settings, *listings(100, 200))
        await counted(pool, 300)
        await until(lambda: one.status.relay_lag == 0 and one.status.relay_position == 300, 60)
        await until(lambda: one.status.ready()[0], 60)
    assert await verdict_counts(pool) == {"ACCEPTED": 300}
    await assert_sound(pool)
    await pool.close()


async def test_a_broker_stops_cleanly_while_kafka_and_postgres_are_down(
    private_postgres: PrivatePostgres, private_kafka: PrivateKafka
) -> None:
    postgres, kafka = private_postgres(), private_kafka()
    await asyncio.gather(asyncio.to_thread(postgres.start), asyncio.to_thread(kafka.start))
    database = await stack.create_database(stack.PostgresServer(postgres.superuser_dsn()))
    for topic in ("events", "verdicts"):
        await stack.create_topic(kafka.bootstrap, topic, 1)
    settings = settings_for(database, kafka.bootstrap, "events", "verdicts", drain_seconds=2)
    async with asyncio.timeout(60), broker(settings) as one:
        await asyncio.to_thread(kafka.kill)
        await asyncio.to_thread(postgres.stop, "immediate")
        await until(lambda: one.status.relay_error is not None)
