"""The relay of verdicts: at least once, in order, with stable ids, by one broker at a time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError
from cloudevents.core.bindings.kafka import KafkaMessage, from_kafka
from cloudevents.core.formats.json import JSONFormat

from schemas.events import VerdictData
from services.broker.verdict_producer import StoredVerdict, VerdictProducer
from services.broker.verdict_relay import VerdictRelay
from tests.broker.events import SUBJECT, listing, revoked, uscc
from tests.broker.stand import RegisterStand, broker_settings, until

if TYPE_CHECKING:
    from collections.abc import Sequence

    from services.broker.settings import BrokerSettings
    from tests.conftest import TopicFactory
    from tests.stack import TestDatabase

pytestmark = pytest.mark.asyncio


class TestProducer:
    """Keeps what it is given; `fails` times it keeps half and fails."""

    __test__ = False

    def __init__(self, fails: int = 0) -> None:
        self.sent: list[StoredVerdict] = []
        self.fails = fails
        self.gate: asyncio.Event | None = None
        self.closed = 0

    async def send(self, verdicts: Sequence[StoredVerdict]) -> None:
        if self.gate is not None:
            await self.gate.wait()
        if self.fails:
            self.fails -= 1
            self.sent += verdicts[: len(verdicts) // 2]
            raise KafkaError("half of them arrived")
        self.sent += verdicts

    async def close(self) -> None:
        self.closed += 1


def relay_of(stand: RegisterStand, producer: TestProducer, owner: str, **more: float) -> VerdictRelay:
    settings = broker_settings(stand.database, relay_page=10, relay_poll_seconds=0.05, **more)
    return VerdictRelay(stand.pool, producer, owner, settings, stand.status)  # type: ignore[arg-type]


async def some_verdicts(stand: RegisterStand, count: int, first: int = 0) -> None:
    await stand.put(*(listing(f"l-{n}", uscc(n), case_id=f"WH-{n}") for n in range(first, first + count)))


async def test_every_verdict_is_sent_in_order_and_the_cursor_follows(stand: RegisterStand) -> None:
    await some_verdicts(stand, 25)
    producer, stop = TestProducer(), asyncio.Event()
    relay = relay_of(stand, producer, "one")
    running = asyncio.create_task(relay.run(stop))
    await until(lambda: len(producer.sent) == 25)
    await some_verdicts(stand, 3, 25)
    relay.wake()
    await until(lambda: stand.status.relay_lag == 0 and stand.status.relay_position == 28)
    assert [verdict.verdict_seq for verdict in producer.sent] == list(range(1, 29))
    stop.set()
    await running
    row = await stand.pool.fetchrow("select position, owner from reader_cursor where reader = 'verdicts'")
    assert tuple(row) == (28, None)
    assert producer.closed == 1


async def test_a_failure_in_mid_page_sends_the_page_again(stand: RegisterStand) -> None:
    await some_verdicts(stand, 12)
    producer, stop = TestProducer(fails=2), asyncio.Event()
    running = asyncio.create_task(relay_of(stand, producer, "one").run(stop))
    await until(lambda: {verdict.verdict_seq for verdict in producer.sent} == set(range(1, 13)))
    stop.set()
    await running
    numbers = [verdict.verdict_seq for verdict in producer.sent]
    assert len(numbers) == 12 + 2 * 5
    assert numbers[10:20] == list(range(1, 11))
    assert producer.closed == 3  # a producer that failed may hold half a page


async def test_one_relay_at_a_time_and_the_next_when_the_lease_is_given_back_or_ends(
    stand: RegisterStand,
) -> None:
    await some_verdicts(stand, 5)
    one, two = TestProducer(), TestProducer()
    first, second = relay_of(stand, one, "one"), relay_of(stand, two, "two")
    assert await first.send_page() == 5
    await some_verdicts(stand, 5, 5)
    assert await second.send_page() == 0
    await stand.pool.execute("update reader_cursor set expires_at = now() - interval '1 s'")
    assert await second.send_page() == 5
    assert await first.send_page() == 0
    assert [verdict.verdict_seq for verdict in two.sent] == [6, 7, 8, 9, 10]


async def test_a_relay_that_slept_past_its_lease_moves_no_cursor(stand: RegisterStand) -> None:
    await some_verdicts(stand, 5)
    slow, quick = TestProducer(), TestProducer()
    slow.gate = asyncio.Event()
    asleep = asyncio.create_task(relay_of(stand, slow, "slow").send_page())
    await until(lambda: _owner_is(stand, "slow"))
    await stand.pool.execute("update reader_cursor set expires_at = now() - interval '1 s'")
    assert await relay_of(stand, quick, "quick").send_page() == 5
    await some_verdicts(stand, 2, 5)
    assert await relay_of(stand, quick, "quick").send_page() == 2
    slow.gate.set()
    await asleep
    row = await stand.pool.fetchrow("select position, owner from reader_cursor")
    assert tuple(row) == (7, "quick")


async def _owner_is(stand: RegisterStand, owner: str) -> bool:
    return bool(await stand.pool.fetchval("select owner from reader_cursor") == owner)


@pytest.mark.system
async def test_verdicts_on_kafka_are_cloud_events_keyed_by_subject(
    kafka_server: str, topic_factory: TopicFactory, database: TestDatabase, stand: RegisterStand
) -> None:
    topic = await topic_factory(partitions=3)
    await stand.put(
        listing(), revoked(), b"not json", *(listing(f"l-{n}", uscc(n), case_id=f"C-{n}") for n in range(20))
    )
    settings: BrokerSettings = broker_settings(
        database, kafka_bootstrap=kafka_server, kafka_verdicts_topic=topic, relay_page=7
    )
    producer = VerdictProducer(settings)
    relay = VerdictRelay(stand.pool, producer, "one", settings, stand.status)
    sent = 0
    while page := await relay.send_page():
        sent += page
    await producer.close()
    assert sent == 23
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=kafka_server, auto_offset_reset="earliest")
    await consumer.start()
    messages: list[Any] = []
    async with asyncio.timeout(20):
        while len(messages) < 23:
            found = await consumer.getmany(timeout_ms=200)
            messages += [message for batch in found.values() for message in batch]
    await consumer.stop()
    assert sorted(int(orjson.loads(message.value)["id"]) for message in messages) == list(range(1, 24))
    of_subject = [message for message in messages if message.key == SUBJECT.encode()]
    assert len({message.partition for message in of_subject}) == 1
    assert [orjson.loads(message.value)["data"]["event"]["id"] for message in of_subject] == ["l-1", "r-1"]
    for message in messages:
        parts = KafkaMessage(dict(message.headers), message.key, message.value)
        event = from_kafka(parts, JSONFormat())
        assert event.get_type() == VerdictData.event_type
        VerdictData.model_validate(event.get_data())
    (refused,) = [message for message in messages if message.key is None]
    assert orjson.loads(refused.value)["data"]["event"] == {"source": None, "id": None}
