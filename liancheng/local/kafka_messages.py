"""Events into Kafka and verdicts out of it, through a client that is not the product's own (librdkafka)."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from liancheng.embedded.kafka_properties import MESSAGE_MAX_BYTES
from schemas.cloudevent import EventEnvelope, read_cloudevent

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ACKNOWLEDGED_WITHIN_S: Final = 60.0
_ANSWER_S: Final = 30.0
_FULL_QUEUE_S: Final = 0.1
_PAGE: Final = 500
# librdkafka writes every lost connection to standard error, where progress is shown.
_QUIET: Final = {"log_level": 0}


class RawMessage(NamedTuple):
    """A Kafka message as it is, well-formed or not."""

    value: bytes | None
    key: bytes | None = None
    headers: tuple[tuple[str, bytes], ...] = ()


class ProduceError(RuntimeError):
    """Kafka did not take all messages."""


def structured(event: Mapping[str, Any]) -> RawMessage:
    """A CloudEvent in structured mode, its subject as the key."""
    subject = event.get("subject")
    content_type = ("content-type", b"application/cloudevents+json; charset=utf-8")
    return RawMessage(orjson.dumps(event), str(subject).encode() if subject else None, (content_type,))


def create_topics(bootstrap: str, partitions: int, *names: str) -> None:
    """Make topics, each with one replica; those that are there are let be. KafkaException if it fails."""
    admin = AdminClient({"bootstrap.servers": bootstrap, **_QUIET})
    there = admin.list_topics(timeout=_ANSWER_S).topics
    missing = [NewTopic(name, partitions, 1) for name in names if name not in there]
    for made in admin.create_topics(missing).values() if missing else ():
        made.result(_ANSWER_S)


def touch_topics(bootstrap: str, *names: str) -> None:
    """Ask for topics as a producer does: it makes them where no admin requests are answered."""
    producer = Producer({"bootstrap.servers": bootstrap, **_QUIET})
    for name in names:
        producer.list_topics(name, _ANSWER_S)


def produce(bootstrap: str, topic: str, messages: Iterable[RawMessage]) -> int:
    """Send all and wait for the acknowledgement of each; how many. ProduceError if one fails."""
    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "enable.idempotence": True,
            "message.max.bytes": MESSAGE_MAX_BYTES,
            "delivery.timeout.ms": round(ACKNOWLEDGED_WITHIN_S * 1000),
            **_QUIET,
        }
    )
    failed: list[str] = []

    def settled(error: object, _message: object) -> None:
        if error is not None:
            failed.append(str(error))

    sent = 0
    for message in messages:
        _enqueue(producer, topic, message, settled)
        sent += 1
    left = producer.flush(ACKNOWLEDGED_WITHIN_S)
    if failed or left:
        raise ProduceError(f"{len(failed)} of {sent} failed, {left} without an answer: {failed[:1]}")
    return sent


def _enqueue(producer: Producer, topic: str, message: RawMessage, settled: Any) -> None:
    while True:
        try:
            producer.produce(
                topic, message.value, message.key, headers=list(message.headers), on_delivery=settled
            )
        except BufferError:  # the queue is full: what is in it goes first
            producer.poll(_FULL_QUEUE_S)
        else:
            return


def produced(bootstrap: str, topic: str) -> int:
    """How many messages the topic was ever given, over all partitions."""
    with closing(_consumer(bootstrap)) as consumer:
        return sum(
            consumer.get_watermark_offsets(partition, _ANSWER_S)[1]
            for partition in _partitions(consumer, topic)
        )


class VerdictReader:
    """Reads a verdicts topic from its beginning; close it before Kafka stops."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        self._consumer = _consumer(bootstrap)
        self._consumer.assign(_partitions(self._consumer, topic))

    def read(self, timeout_s: float) -> list[EventEnvelope]:
        """What has come since; waits up to `timeout_s` for the first. `data` is a `VerdictData` as JSON."""
        first = self._consumer.consume(1, timeout_s)
        return [_verdict(message) for message in first + self._consumer.consume(_PAGE, 0)]

    def close(self) -> None:
        self._consumer.close()


def _consumer(bootstrap: str) -> Consumer:
    # It joins no group and commits nothing; librdkafka insists on a name.
    return Consumer(
        {"bootstrap.servers": bootstrap, "group.id": "nobody", "enable.auto.commit": False, **_QUIET}
    )


def _partitions(consumer: Consumer, topic: str) -> list[TopicPartition]:
    found = consumer.list_topics(topic, _ANSWER_S).topics[topic]
    if found.error is not None:
        raise KafkaException(found.error)
    return [TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in found.partitions]


def _verdict(message: Any) -> EventEnvelope:
    if (error := message.error()) is not None:
        raise KafkaException(error)
    envelope = read_cloudevent(message.headers() or [], message.key(), message.value())
    if not isinstance(envelope, EventEnvelope) or envelope.findings:
        raise ValueError(f"a verdict that is no CloudEvent: {envelope}")
    return envelope
