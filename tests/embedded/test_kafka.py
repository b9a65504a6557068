from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import UnknownTopicOrPartitionError

from liancheng.embedded.lifecycle import ServerStartError
from tests.stack import create_topic

if TYPE_CHECKING:
    from tests.conftest import PrivateKafka, TopicFactory

pytestmark = pytest.mark.asyncio


async def produce(bootstrap: str, topic: str, *values: bytes) -> None:
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap, enable_idempotence=True, max_request_size=8 * 1024 * 1024
    )
    await producer.start()
    try:
        for value in values:
            await producer.send_and_wait(topic, value)
    finally:
        await producer.stop()


async def consume(bootstrap: str, topic: str) -> list[bytes]:
    """All of a topic with one partition."""
    partition = TopicPartition(topic, 0)
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, max_partition_fetch_bytes=8 * 1024 * 1024)
    await consumer.start()
    try:
        consumer.assign([partition])
        await consumer.seek_to_beginning(partition)
        end = (await consumer.end_offsets([partition]))[partition]
        values = []
        while await consumer.position(partition) < end:
            messages = await consumer.getmany(partition, timeout_ms=1_000)
            values += [message.value for message in messages.get(partition, [])]
        return values
    finally:
        await consumer.stop()


async def test_acknowledged_messages_survive_restart_and_kill_on_the_same_port(
    private_kafka: PrivateKafka,
) -> None:
    server = private_kafka()
    server.start()
    bootstrap, pids = server.bootstrap, {server.pid}
    await create_topic(bootstrap, "kept", 1)
    for n, restart in enumerate((server.restart, server.kill)):
        await produce(bootstrap, "kept", b"%d" % n)
        restart()
        server.start()
        pids.add(server.pid)
    assert server.bootstrap == bootstrap
    assert len(pids) == 3
    assert await consume(bootstrap, "kept") == [b"0", b"1"]


async def test_two_run_at_once_and_know_nothing_of_each_other(
    private_kafka: PrivateKafka, kafka_server: str
) -> None:
    with private_kafka(heap="256m") as other:
        assert other.bootstrap != kafka_server
        await create_topic(other.bootstrap, "only-there", 1)
        admin = AIOKafkaAdminClient(bootstrap_servers=kafka_server)
        await admin.start()
        try:
            assert "only-there" not in await admin.list_topics()
        finally:
            await admin.close()


async def test_a_topic_has_the_partitions_asked_for_and_takes_five_megabytes(
    topic_factory: TopicFactory, kafka_server: str
) -> None:
    topic = await topic_factory(partitions=1)
    assert topic != await topic_factory(partitions=1)
    large = b"x" * 5_000_000
    await produce(kafka_server, topic, large)
    assert await consume(kafka_server, topic) == [large]


async def test_no_topic_comes_into_being_by_itself(kafka_server: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_server)
    await admin.start()
    try:
        (described,) = await admin.describe_topics(["never-made"])
        assert described["error_code"] == UnknownTopicOrPartitionError.errno
    finally:
        await admin.close()


async def test_a_failed_start_shows_the_log_and_leaves_nothing(private_kafka: PrivateKafka) -> None:
    server = private_kafka(extra={"broker.heartbeat.interval.ms": "often"})
    with pytest.raises(ServerStartError, match="Invalid value often"):
        server.start()
    assert not server.is_running()
