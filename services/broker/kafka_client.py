"""What every aiokafka client of ours is given: where the cluster is and how the connection is protected."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.helpers import create_ssl_context
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, wait_random_exponential

from services.runtime.logs import logger

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable

    from tenacity import RetryCallState

    from services.broker.settings import KafkaSettings

log = logger(__name__)


def tls_context(settings: KafkaSettings) -> ssl.SSLContext | None:
    """A context that verifies certificate and host name, or None where the protocol has no TLS."""
    if not settings.kafka_security_protocol.endswith("SSL"):
        return None
    context: ssl.SSLContext = create_ssl_context(
        cafile=settings.kafka_cafile, certfile=settings.kafka_certfile, keyfile=settings.kafka_keyfile
    )
    return context


def client_options(settings: KafkaSettings, client_id: str) -> dict[str, Any]:
    """Keyword arguments that consumer, producer, admin and bare client of aiokafka all take."""
    options: dict[str, Any] = {
        "bootstrap_servers": [host.strip() for host in settings.kafka_bootstrap.split(",")],
        "client_id": client_id,
        "request_timeout_ms": int(settings.kafka_request_timeout_seconds * 1000),
        "security_protocol": settings.kafka_security_protocol,
        "ssl_context": tls_context(settings),
    }
    if settings.kafka_security_protocol.startswith("SASL"):
        options |= {
            "sasl_mechanism": settings.kafka_sasl_mechanism,
            "sasl_plain_username": settings.kafka_username,
            "sasl_plain_password": settings.kafka_password.get_secret_value()
            if settings.kafka_password
            else None,
        }
    return options


async def stop_client(client: AIOKafkaConsumer | AIOKafkaProducer, seconds: float) -> None:
    """Stop a consumer or producer whatever state it is in.

    While Kafka is down, aiokafka's own `stop` may wait for a minute, fail, or pass on the cancellation of
    one of its inner tasks as if it were ours; its connections then stay open, and are closed here.
    """
    stopping = asyncio.create_task(client.stop())
    done, _ = await asyncio.wait({stopping}, timeout=seconds)
    if done and not stopping.cancelled() and stopping.exception() is None:
        return
    log.warning("kafka_client_not_stopped_cleanly", client=type(client).__name__)
    stopping.cancel()
    await asyncio.gather(stopping, return_exceptions=True)
    inner = client._client if isinstance(client, AIOKafkaConsumer) else client.client  # noqa: SLF001
    await inner.close()


async def when_kafka_answers(first: Callable[[], Awaitable[None]], patience_seconds: float) -> None:
    """Run a first connection until it succeeds, saying so; KafkaError or OSError after `patience_seconds`."""

    def say(state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        log.warning(
            "kafka_waited_for",
            attempt=state.attempt_number,
            next_in_seconds=round(state.upcoming_sleep, 2),
            error=type(error).__name__,
        )

    async for attempt in AsyncRetrying(
        retry=retry_if_exception_type((KafkaError, OSError)),
        wait=wait_random_exponential(multiplier=0.1, max=3),
        stop=stop_after_delay(patience_seconds),
        before_sleep=say,
        reraise=True,
    ):
        with attempt:
            await first()
