from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from liancheng.embedded.event_bus import embedded_event_bus
from liancheng.embedded.kafka import EmbeddedKafka
from liancheng.embedded.mock_kafka import MockKafka
from liancheng.embedded.scratch import scratch_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def folder() -> Iterator[Path]:
    with scratch_folder() as made:
        yield made


@pytest.mark.asyncio
async def test_aiokafka_produces_idempotently_and_consumes_in_a_group(folder: Path) -> None:
    with MockKafka(folder) as server:
        producer = AIOKafkaProducer(bootstrap_servers=server.bootstrap, enable_idempotence=True)
        await producer.start()
        try:
            sent = [b"%d" % n for n in range(50)]
            for value in sent:
                await producer.send_and_wait("topic", value, key=b"one key", headers=[("ce_id", value)])
        finally:
            await producer.stop()
        consumer = AIOKafkaConsumer(
            "topic",
            bootstrap_servers=server.bootstrap,
            group_id="group",
            auto_offset_reset="earliest",
            enable_auto_commit=False,
        )
        await consumer.start()
        try:
            received: list[bytes] = []
            while len(received) < len(sent):
                for messages in (await consumer.getmany(timeout_ms=1_000)).values():
                    received += [message.value for message in messages]
                    assert all(message.headers == (("ce_id", message.value),) for message in messages)
        finally:
            await consumer.stop()
    assert received == sent


def test_without_the_jars_it_takes_kafkas_place_and_says_what_it_lacks(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LIANCHENG_CACHE", str(folder / "empty"))
    monkeypatch.setenv("LIANCHENG_MAVEN_URL", "http://127.0.0.1:9/nowhere")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    assert isinstance(embedded_event_bus(folder / "data"), MockKafka)
    notice = capsys.readouterr().err.splitlines()[-1]
    assert notice.startswith("Kafka FALLBACK: librdkafka's in-process broker; it keeps 5 MiB per partition")


def test_with_the_jars_it_is_apache_kafka(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert isinstance(embedded_event_bus(folder), EmbeddedKafka)
    assert "FALLBACK" not in capsys.readouterr().err
