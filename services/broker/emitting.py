"""Sending events from a file, and waiting for what becomes of them: the producer's side, for demo and
operators.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from schemas.cloudevent import write_cloudevent
from services.broker.kafka_client import client_options

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Sequence

    from services.broker.settings import KafkaSettings

EventKey = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Emission:
    """One event of a file, as it will be sent. A line that is no CloudEvent is sent as it is, to see it
    refused.
    """

    source: str
    id: str
    key: bytes | None
    value: bytes
    headers: tuple[tuple[str, bytes], ...]

    @property
    def event_key(self) -> EventKey:
        return self.source, self.id


def read_emissions(lines: Iterable[bytes], *, binary: bool, only: Sequence[str]) -> list[Emission]:
    """Events of an NDJSON file: bare CloudEvents, or objects with one under `event`.

    `only` keeps those ids, in the order given. ValueError for a line that is no JSON object, or a missing id.
    """
    found: list[Emission] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            parsed = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise ValueError(f"line {number} is not JSON: {error}") from None
        if not isinstance(parsed, dict):
            raise ValueError(f"line {number} is no JSON object")  # noqa: TRY004 - the file's fault, not the code's
        event = parsed.get("event", parsed)
        found.append(_emission(event, binary=binary))
    if only:
        by_id = {emission.id: emission for emission in found}
        if missing := [wanted for wanted in only if wanted not in by_id]:
            raise ValueError(f"no event {', '.join(missing)}")
        return [by_id[wanted] for wanted in only]
    return found


def _emission(event: dict[str, Any], *, binary: bool) -> Emission:
    subject = event.get("subject")
    key = subject.encode() if isinstance(subject, str) else None
    headers: list[tuple[str, bytes]] = [("content-type", b"application/cloudevents+json")]
    value = orjson.dumps(event)
    if binary:
        headers, key, value = write_cloudevent(
            id=event["id"],
            source=event["source"],
            type=event["type"],
            subject=subject,
            time=datetime.fromisoformat(event["time"]),
            data=event["data"],
            binary=True,
        )
    return Emission(str(event.get("source", "")), str(event.get("id", "")), key, value, tuple(headers))


async def send(
    settings: KafkaSettings,
    topic: str,
    emissions: Sequence[Emission],
    *,
    rate: float | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> None:
    """Send in order, at most `rate` a second, and return when Kafka has acknowledged all. KafkaError else."""
    producer = AIOKafkaProducer(
        **client_options(settings, "liancheng-emit"), acks="all", enable_idempotence=True, linger_ms=5
    )
    await producer.start()
    try:
        loop = asyncio.get_running_loop()
        began = loop.time()
        waiting = []
        for number, emission in enumerate(emissions):
            if rate is not None:
                await asyncio.sleep(max(0.0, began + number / rate - loop.time()))
            waiting.append(
                await producer.send(topic, emission.value, key=emission.key, headers=list(emission.headers))
            )
            progress(number + 1)
        await asyncio.gather(*waiting)
    finally:
        await producer.stop()


class VerdictWatch:
    """Follows the verdicts topic from the moment of `start`: start before sending, then read."""

    def __init__(self, settings: KafkaSettings, topic: str) -> None:
        self._consumer = AIOKafkaConsumer(topic, **client_options(settings, "liancheng-emit-wait"))

    async def start(self) -> None:
        await self._consumer.start()
        await self._consumer.seek_to_end()
        for place in self._consumer.assignment():
            await self._consumer.position(place)  # now, and not when it is first read

    async def verdicts(self) -> AsyncIterator[dict[str, Any]]:
        """Data of every verdict, as it comes; duplicates of one verdict event once."""
        seen: set[str] = set()
        while True:
            found = await self._consumer.getmany(timeout_ms=500)
            for message in (message for batch in found.values() for message in batch):
                event = orjson.loads(message.value)
                if event["id"] not in seen:
                    seen.add(event["id"])
                    yield event["data"]

    async def stop(self) -> None:
        await self._consumer.stop()
