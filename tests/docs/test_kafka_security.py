"""Kafka with SASL and TLS, by the settings that docs/operations.md names: every kind of client of ours."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from aiokafka.errors import KafkaError
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._scram import (
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)
from pydantic import ValidationError

from liancheng.embedded.kafka import EmbeddedKafka
from liancheng.embedded.ports import HeldPort
from liancheng.embedded.scratch import scratch_folder
from services.broker.emitting import VerdictWatch, read_emissions, send
from services.broker.settings import BrokerSettings, KafkaSettings
from services.broker.topics import TopicDirectory, ensure_topics
from services.runtime.sealing import new_key
from tests.docs.certificates import Certificate, for_localhost

if TYPE_CHECKING:
    from collections.abc import Iterator

USER, PASSWORD = "liancheng", "a password of this test"
NOWHERE = "postgresql://nobody@localhost/none"


class Secured(NamedTuple):
    certificate: Certificate
    port: int

    def settings(self, **changes: Any) -> BrokerSettings:
        given: dict[str, Any] = {
            "kafka_bootstrap": f"localhost:{self.port}",
            "kafka_security_protocol": "SASL_SSL",
            "kafka_sasl_mechanism": "SCRAM-SHA-512",
            "kafka_username": USER,
            "kafka_password": PASSWORD,
            "kafka_cafile": self.certificate.authority,
            "kafka_create_topics": True,
            "kafka_partitions": 1,
            "broker_database_url": NOWHERE,
            "api_database_url": NOWHERE,
            "data_key": new_key(),
        }
        return BrokerSettings(**given | changes)


@pytest.fixture(scope="module")
def secured() -> Iterator[Secured]:
    with scratch_folder("liancheng-test-") as folder:
        certificate, held = for_localhost(folder), HeldPort()
        server = EmbeddedKafka(folder / "kafka")
        server._extra |= _properties(server, held.number, certificate)
        try:
            server.start()
            _make_user(server.bootstrap)
            yield Secured(certificate, held.number)
        finally:
            server.kill()


def _properties(server: EmbeddedKafka, port: int, certificate: Certificate) -> dict[str, str]:
    """A third listener, beside the plain one that the server's own start-up check and the admin use."""
    controller = f"127.0.0.1:{server._held_controller_port.number}"
    plain = f"PLAINTEXT://{server.bootstrap}"
    return {
        "listeners": f"{plain},CONTROLLER://{controller},SECURED://127.0.0.1:{port}",
        "advertised.listeners": f"{plain},SECURED://localhost:{port}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SECURED:SASL_SSL",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(certificate.chain),
        "sasl.enabled.mechanisms": "SCRAM-SHA-512",
        "listener.name.secured.scram-sha-512.sasl.jaas.config": (
            "org.apache.kafka.common.security.scram.ScramLoginModule required;"
        ),
    }


def _make_user(bootstrap: str) -> None:
    admin = AdminClient({"bootstrap.servers": bootstrap})
    credential = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
    wanted = UserScramCredentialUpsertion(USER, credential, PASSWORD.encode())
    admin.alter_user_scram_credentials([wanted])[USER].result(timeout=20)


@pytest.mark.asyncio
async def test_topics_are_made_events_go_in_and_come_out(secured: Secured) -> None:
    settings = secured.settings()
    topic = settings.kafka_events_topic
    await ensure_topics(settings)
    directory = TopicDirectory(settings)
    assert topic in await directory.ids(topic)
    await directory.close()
    watch = VerdictWatch(settings, topic)
    await watch.start()
    try:
        event = b'{"source": "//test", "id": "1", "subject": "x", "data": {"through": "TLS"}}'
        await send(settings, topic, read_emissions([event], binary=False, only=[]))
        async with asyncio.timeout(20):
            assert await anext(watch.verdicts()) == {"through": "TLS"}
    finally:
        await watch.stop()


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "wrong",
    [
        {"kafka_password": "another"},
        {"kafka_cafile": None},
        {"kafka_security_protocol": "SSL"},
        {"kafka_security_protocol": "PLAINTEXT"},
    ],
    ids=["password", "authority", "no SASL", "no TLS"],
)
async def test_a_wrong_setting_does_not_get_in(secured: Secured, wrong: dict[str, Any]) -> None:
    directory = TopicDirectory(secured.settings(kafka_request_timeout_seconds=2, **wrong))
    with pytest.raises((KafkaError, OSError)):
        await directory.ids("x")


@pytest.mark.parametrize(
    "half",
    [
        {"kafka_security_protocol": "SASL_SSL", "kafka_username": USER},
        {"kafka_certfile": "client.pem"},
    ],
    ids=["no password", "no key"],
)
def test_half_a_setting_is_refused_at_start(half: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        KafkaSettings(**half)
