"""Settings of the broker: each with its unit and the reason for its default."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - pydantic reads it at run time
from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator

from services.broker.api.options import ApiSettings
from services.runtime.logs import LogFormat  # noqa: TC001 - pydantic reads it at run time
from services.runtime.settings import ServiceSettings


class KafkaSettings(ServiceSettings):
    """How to reach Kafka; shared by the broker and by `liancheng emit`."""

    kafka_bootstrap: str = Field("localhost:9092", description="host:port[,host:port …] of the Kafka cluster")
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="how the connection is protected; SSL or SASL_SSL outside a private network"
    )
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        "SCRAM-SHA-512", description="with a SASL protocol: how to authenticate; PLAIN only over TLS"
    )
    kafka_username: str | None = Field(None, description="with a SASL protocol: the user")
    kafka_password: SecretStr | None = Field(None, description="with a SASL protocol: the password.")
    kafka_cafile: Path | None = Field(None, description="PEM of the authorities to trust; none: the system's")
    kafka_certfile: Path | None = Field(
        None, description="PEM of the client certificate, where the cluster asks"
    )
    kafka_keyfile: Path | None = Field(None, description="PEM of the client certificate's private key")
    kafka_patience_seconds: float = Field(
        120, gt=0, description="s to wait for Kafka at start: a cluster of three is up in well under a minute"
    )
    kafka_request_timeout_seconds: float = Field(
        30, gt=0, description="s for one Kafka request: longer than a leader election takes"
    )

    @model_validator(mode="after")
    def _sasl_is_complete(self) -> Self:
        if self.kafka_security_protocol.startswith("SASL") and not (
            self.kafka_username and self.kafka_password
        ):
            raise ValueError("kafka_security_protocol asks for kafka_username and kafka_password")
        if bool(self.kafka_certfile) != bool(self.kafka_keyfile):
            raise ValueError("kafka_certfile and kafka_keyfile go together")
        return self


class BrokerSettings(KafkaSettings, ApiSettings):
    # Database
    broker_database_url: SecretStr = Field(description="postgresql:// URL of the role liancheng_broker.")
    database_pool_size: int = Field(
        4, gt=1, description="connections: one registers, the others serve the relay, upkeep and take-overs"
    )
    statement_timeout_ms: int = Field(
        30_000, gt=0, description="ms for one statement; a batch of 1,000 takes tens of ms"
    )
    # Kafka
    kafka_events_topic: str = Field("capacity-exit.events", description="topic that events are read from")
    kafka_verdicts_topic: str = Field("capacity-exit.verdicts", description="topic that verdicts are sent to")
    kafka_group: str = Field("liancheng-broker", description="consumer group that all brokers share")
    kafka_create_topics: bool = Field(
        False, description="create missing topics; in production they are made with their own settings"
    )
    kafka_partitions: int = Field(6, gt=0, description="partitions of a created events topic")
    kafka_replication: int = Field(
        1, gt=0, description="replicas of a created topic; 3 in a cluster of three"
    )
    kafka_session_timeout_ms: int = Field(
        10_000, ge=6_000, description="ms without heartbeat until a dead broker's partitions move on"
    )
    kafka_rebalance_timeout_ms: int = Field(
        30_000, gt=0, description="ms for a rebalance, in which the batch at hand is finished first"
    )
    kafka_max_poll_interval_ms: int = Field(
        600_000,
        gt=0,
        description="ms without polling until the group gives us up; outlasts a database restart",
    )
    kafka_accept_lost_offsets: bool = Field(
        False,
        description="a person's consent to go on at the start of the log where Kafka no longer has the"
        " offset that comes next (retention, re-created topic): what lay between is lost, what comes again is"
        " a duplicate",
    )
    topic_check_seconds: float = Field(
        5, gt=0, description="s between looks whether the topic was re-created or a partition stands still"
    )
    # Batches
    batch_events: int = Field(
        1_000,
        gt=0,
        description="most events of one transaction; more makes the tail latency worse, not the rate",
    )
    poll_milliseconds: int = Field(
        500, gt=0, description="ms that one poll waits for events; bounds how soon a stop is noticed"
    )
    linger_milliseconds: int = Field(
        0, ge=0, description="ms to wait for more events before a batch is registered; 0: latency first"
    )
    max_event_bytes: int = Field(
        1_048_576,
        gt=0,
        description="bytes of one event; a larger one is refused unread (real ones are about 1 kB)",
    )
    # Refused messages
    data_key: SecretStr = Field(
        description="base64 of the 32-byte key that seals dead letters, and after commas the former ones."
    )
    deadletter_retention_days: int = Field(
        180,
        gt=0,
        description="days until a dead letter is purged: time for its producer to see and repair it",
    )
    # Verdict relay
    relay_page: int = Field(1_000, gt=0, description="verdicts sent between two moves of the relay's cursor")
    relay_poll_seconds: float = Field(
        1.0,
        gt=0,
        description="s between looks for verdicts when no notification came: the slow poll behind it",
    )
    relay_lease_seconds: float = Field(
        15, gt=0, description="s until another broker takes the relay over from a dead one"
    )
    # Upkeep and watchdog
    partitions_ahead: int = Field(2, gt=0, description="empty partitions of feed and ledger kept ahead")
    upkeep_seconds: float = Field(60, gt=0, description="s between upkeep runs (partitions ahead, purge)")
    stall_seconds: float = Field(
        60,
        gt=0,
        description="s without progress of the event loop or of intake until the process ends itself",
    )
    drain_seconds: float = Field(
        20, gt=0, description="s to finish the batch at hand when stopping or losing partitions"
    )
    # Logs
    log_level: str = Field("INFO", description="DEBUG, INFO, WARNING or ERROR")
    log_format: LogFormat = Field("json", description="json or console")

    @model_validator(mode="after")
    def _times_fit(self) -> Self:
        if self.drain_seconds * 1000 > self.kafka_rebalance_timeout_ms:
            raise ValueError("drain_seconds must fit into kafka_rebalance_timeout_ms")
        return self
