"""The topics: they exist, or are made where that is asked for; and what their ids are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from services.broker.kafka_client import client_options
from services.broker.topic_identity import topic_ids
from services.runtime.logs import logger

if TYPE_CHECKING:
    from services.broker.settings import BrokerSettings, KafkaSettings

log = logger(__name__)


class MissingTopicError(KafkaError):  # type: ignore[misc]
    """A topic is not there, and this broker was not asked to make it."""


class TopicDirectory:
    """Asks the cluster about topics. One instance per event loop; `close` when done."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._client: AIOKafkaClient | None = None

    async def ids(self, *topics: str) -> dict[str, str]:
        """Ids of those that exist; empty on a cluster too old for topic ids. KafkaError if none answers."""
        if self._client is None:
            client = AIOKafkaClient(**client_options(self._settings, "liancheng-topics"))
            try:
                await client.bootstrap()
            except BaseException:
                await client.close()
                raise
            self._client = client
        try:
            return await topic_ids(self._client, topics)
        except KafkaError:
            await self.close()
            raise

    async def close(self) -> None:
        if self._client is not None:
            client, self._client = self._client, None
            await client.close()


async def ensure_topics(settings: BrokerSettings) -> None:
    """Find both topics; where `kafka_create_topics` says so, make what is missing. MissingTopicError else."""
    admin = AIOKafkaAdminClient(**client_options(settings, "liancheng-admin"))
    await admin.start()
    try:
        wanted = [settings.kafka_events_topic, settings.kafka_verdicts_topic]
        missing = sorted(set(wanted) - set(await admin.list_topics()))
        if not missing:
            return
        if not settings.kafka_create_topics:
            raise MissingTopicError(f"no topic {', '.join(missing)}; make it, or set kafka_create_topics")
        answer = await admin.create_topics(
            [NewTopic(topic, settings.kafka_partitions, settings.kafka_replication) for topic in missing]
        )
        for topic, code, *_ in answer.topic_errors:
            error = for_code(code)
            if code and error is not TopicAlreadyExistsError:
                raise error(topic)
            log.info("topic_created", topic=topic, partitions=settings.kafka_partitions)
    finally:
        await admin.close()
