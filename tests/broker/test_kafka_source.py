"""KafkaSource against a real Apache Kafka: positions are ours alone, and nothing is reset behind our back."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.structs import TopicPartition

from schemas.database.roles import ROLES
from services.broker.kafka_source import KafkaSource
from services.broker.source import OffsetsLostError
from services.broker.topics import MissingTopicError, TopicDirectory, ensure_topics
from tests import stack
from tests.broker.stand import broker_settings, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from services.broker.settings import BrokerSettings
    from tests.conftest import TopicFactory
    from tests.stack import TestDatabase

pytestmark = [pytest.mark.asyncio, pytest.mark.system]


def kafka_settings(bootstrap: str, topic: str, **more: Any) -> BrokerSettings:
    nowhere = stack.TestDatabase("none", "postgresql://nobody@127.0.0.1:1/none", dict.fromkeys(ROLES, "x"))
    return broker_settings(
        nowhere, topic=topic, kafka_bootstrap=bootstrap, kafka_group=f"group-{topic}",
        kafka_session_timeout_ms=6_000, **more,
    )  # fmt: skip


@asynccontextmanager
async def member(settings: BrokerSettings) -> AsyncIterator[KafkaSource]:
    source = KafkaSource(settings)

    async def revoked() -> None:
        return

    await source.start(revoked)
    try:
        yield source
    finally:
        await source.stop()


async def poll_until_assigned(source: KafkaSource, generation: int = 1) -> None:
    async with asyncio.timeout(30):
        while source.generation < generation or source.rebalancing:
            await source.poll(100, 0.05)


async def produce(bootstrap: str, topic: str, count: int, partition: int = 0, size: int = 10) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, max_request_size=20_000_000)
    await producer.start()
    try:
        for number in range(count):
            await producer.send_and_wait(topic, b"%d " % number + b"x" * size, partition=partition)
    finally:
        await producer.stop()


async def read(source: KafkaSource, count: int) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    async with asyncio.timeout(20):
        while len(found) < count:
            found += [(m.partition, m.offset) for m in await source.poll(100, 0.1)]
    return found


async def test_nothing_is_read_before_we_say_where_and_then_from_there(
    kafka_server: str, topic_factory: TopicFactory
) -> None:
    topic = await topic_factory(partitions=2)
    await produce(kafka_server, topic, 6)
    async with member(kafka_settings(kafka_server, topic)) as source:
        await poll_until_assigned(source)
        for _ in range(5):
            assert list(await source.poll(100, 0.05)) == []
        assert (await source.bounds([0, 1]))[0].end == 6
        source.seek({0: 2, 1: 0})
        assert await read(source, 4) == [(0, 2), (0, 3), (0, 4), (0, 5)]
        source.rest([0])
        await produce(kafka_server, topic, 1)
        assert list(await source.poll(100, 0.3)) == []
        await source.hint({0: 6, 1: 0})


async def test_the_groups_own_offset_never_decides(kafka_server: str, topic_factory: TopicFactory) -> None:
    topic = await topic_factory()
    await produce(kafka_server, topic, 6)
    settings = kafka_settings(kafka_server, topic)
    async with member(settings) as source:
        await poll_until_assigned(source)
        source.seek({0: 0})
        await read(source, 6)
        await source.hint({0: 5})
    async with member(settings) as source:
        await poll_until_assigned(source)
        for _ in range(5):
            await source.poll(100, 0.1)  # aiokafka may fetch from the group's offset meanwhile
        source.seek({0: 1})
        assert await read(source, 5) == [(0, 1), (0, 2), (0, 3), (0, 4), (0, 5)]


async def test_a_deleted_offset_is_an_error(kafka_server: str, topic_factory: TopicFactory) -> None:
    topic = await topic_factory()
    await produce(kafka_server, topic, 6)
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_server)
    await admin.start()
    await admin.delete_records({TopicPartition(topic, 0): RecordsToDelete(before_offset=4)})
    await admin.close()
    async with member(kafka_settings(kafka_server, topic)) as source:
        await poll_until_assigned(source)
        assert (await source.bounds([0]))[0].start == 4
        source.seek({0: 1})
        with pytest.raises(OffsetsLostError) as caught:
            await read(source, 1)
        assert caught.value.positions == {0: 1}
        source.seek({0: 4})
        assert await read(source, 2) == [(0, 4), (0, 5)]


async def test_a_re_created_topic_has_another_id(kafka_server: str, topic_factory: TopicFactory) -> None:
    topic = await topic_factory()
    directory = TopicDirectory(kafka_settings(kafka_server, topic))
    first = (await directory.ids(topic, "no-such-topic"))[topic]
    assert set(await directory.ids(topic, "no-such-topic")) == {topic}
    await stack.delete_topics(kafka_server, [topic])

    async def is_gone() -> bool:
        return topic not in await directory.ids(topic)

    await until(is_gone)
    await stack.create_topic(kafka_server, topic, 1)

    async def is_back() -> bool:
        return topic in await directory.ids(topic)

    await until(is_back)
    assert (await directory.ids(topic))[topic] != first
    await directory.close()


async def test_a_member_without_partitions_takes_over_when_the_other_leaves(
    kafka_server: str, topic_factory: TopicFactory
) -> None:
    topic = await topic_factory()
    settings = kafka_settings(kafka_server, topic)
    async with member(settings) as one:
        await poll_until_assigned(one)
        async with member(settings) as two:
            keep_polling = asyncio.create_task(_poll_for_ever(one))
            await poll_until_assigned(two)
            await until(lambda: not one.rebalancing)
            assert sorted([*one.assigned, *two.assigned]) == [0]
            idle, busy = (one, two) if two.assigned else (two, one)
            generation = idle.generation
            keep_polling.cancel()
            keep_polling = asyncio.create_task(_poll_for_ever(idle))
            await busy.stop()
            await until(lambda: idle.generation > generation and idle.assigned == {0})
            keep_polling.cancel()


async def _poll_for_ever(source: KafkaSource) -> None:
    while True:
        await source.poll(100, 0.05)


async def test_a_message_of_five_megabytes_is_read_and_the_next_one_too(
    kafka_server: str, topic_factory: TopicFactory
) -> None:
    topic = await topic_factory()
    await _allow_large_messages(kafka_server, topic)
    await produce(kafka_server, topic, 1, size=5_000_000)
    await produce(kafka_server, topic, 1)
    async with member(kafka_settings(kafka_server, topic)) as source:
        await poll_until_assigned(source)
        source.seek({0: 0})
        assert await read(source, 2) == [(0, 0), (0, 1)]


async def _allow_large_messages(bootstrap: str, topic: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.alter_configs(
            [ConfigResource(ConfigResourceType.TOPIC, topic, configs={"max.message.bytes": "20000000"})]
        )
    finally:
        await admin.close()


async def test_missing_topics_are_made_only_where_that_was_asked_for(
    kafka_server: str, database: TestDatabase
) -> None:
    names = stack.topic_name("made-events"), stack.topic_name("made-verdicts")
    settings = broker_settings(
        database, topic=names[0], kafka_verdicts_topic=names[1], kafka_bootstrap=kafka_server
    )
    with pytest.raises(MissingTopicError, match=names[0]):
        await ensure_topics(settings)
    wanted = settings.model_copy(update={"kafka_create_topics": True, "kafka_partitions": 3})
    try:
        await asyncio.gather(ensure_topics(wanted), ensure_topics(wanted))
        await ensure_topics(settings)
    finally:
        await stack.delete_topics(kafka_server, list(names))
