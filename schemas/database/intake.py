"""What came in: the inbox, the verdicts on it, dead letters, and how far each Kafka partition is read."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, Identity, Index, Text, text
from sqlalchemy.dialects.postgresql import JSON
from sqlmodel import Field, SQLModel

from schemas.database.columns import identifier, identifiers, moment, octets


class PartitionCursor(SQLModel, table=True):
    """How far one Kafka partition is read.

    The only offset that counts: it commits with the work. `epoch` is raised at every assignment, and a
    batch commits only if epoch and offset are as it found them, so a consumer that lost the partition
    without noticing can write nothing. `topic_id` tells a re-created topic of the same name. `error`: Kafka
    no longer has what comes next; the partition is not read until a person consents to go on.
    """

    __tablename__ = "partition_cursor"

    topic: str = Field(sa_column=identifier(primary_key=True))
    kafka_partition: int = Field(primary_key=True)
    topic_id: str | None = Field(default=None, sa_column=identifier(nullable=True))
    epoch: int = Field(sa_column=Column(BigInteger, nullable=False, server_default=text("0")))
    next_offset: int = Field(sa_column=Column(BigInteger, nullable=False, server_default=text("0")))
    error: str | None = Field(default=None, sa_column=identifier(nullable=True))
    updated_at: datetime = Field(sa_column=moment(now=True))


class Inbox(SQLModel, table=True):
    """One row per Kafka message, with the verdict that stands now.

    `holds_key`: this row occupies (`event_source`, `event_id`) and `act_key`; duplicates, conflicts and
    refusals occupy nothing. `data` is the known part of the event's data, for re-evaluation.
    """

    __tablename__ = "inbox"
    __table_args__ = (
        Index("inbox_event_key", "event_source", "event_id", unique=True, postgresql_where=text("holds_key")),
        Index(
            "inbox_act_key",
            "act_key",
            unique=True,
            postgresql_where=text("holds_key and act_key is not null"),
        ),
        Index("inbox_subject", "subject"),
        {"postgresql_with": {"fillfactor": "90"}},
    )

    inbox_id: int = Field(sa_column=Column(BigInteger, Identity(always=False), primary_key=True))
    topic: str = Field(sa_column=identifier())
    kafka_partition: int
    kafka_offset: int = Field(sa_column=Column(BigInteger, nullable=False))
    received_at: datetime = Field(sa_column=moment())
    event_source: str | None = Field(default=None, sa_column=identifier(nullable=True))
    event_id: str | None = Field(default=None, sa_column=identifier(nullable=True))
    event_type: str | None = Field(default=None, sa_column=identifier(nullable=True))
    subject: str | None = Field(default=None, sa_column=identifier(nullable=True))
    event_time: datetime | None = Field(default=None, sa_column=moment(nullable=True))
    case_id: str | None = Field(default=None, sa_column=identifier(nullable=True))
    trace_id: str | None = Field(default=None, sa_column=identifier(nullable=True))
    content_sha256: bytes = Field(sa_column=octets())
    act_key: str | None = Field(default=None, sa_column=identifier(nullable=True))
    holds_key: bool = Field(sa_column=Column(Boolean, nullable=False))
    data: Any | None = Field(default=None, sa_column=Column(JSON, nullable=True))
    verdict: str = Field(sa_column=identifier())
    codes: list[str] = Field(sa_column=identifiers())
    findings: Any | None = Field(default=None, sa_column=Column(JSON, nullable=True))
    record_uid: str | None = Field(default=None, sa_column=identifier(nullable=True))
    version: int | None = None
    reevaluate_on: date | None = None
    waits_for: str | None = Field(default=None, sa_column=identifier(nullable=True))
    duplicate_of: int | None = Field(default=None, sa_column=Column(BigInteger, nullable=True))
    alert: bool = Field(sa_column=Column(Boolean, nullable=False, server_default=text("false")))


class Verdict(SQLModel, table=True):
    """One verdict event, in commit order and without gaps; `body` is its CloudEvents data as sent."""

    __tablename__ = "verdict"

    verdict_seq: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    inbox_id: int = Field(sa_column=Column(BigInteger, nullable=False))
    subject: str | None = Field(default=None, sa_column=identifier(nullable=True))
    verdict: str = Field(sa_column=identifier())
    body: bytes = Field(sa_column=octets())
    judged_at: datetime = Field(sa_column=moment())


class DeadLetter(SQLModel, table=True):
    """A refused message as it came: key, value and headers sealed with the data key."""

    __tablename__ = "dead_letter"
    __table_args__ = (Index("dead_letter_expiry", "expires_at"),)

    inbox_id: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    topic: str = Field(sa_column=identifier())
    kafka_partition: int
    kafka_offset: int = Field(sa_column=Column(BigInteger, nullable=False))
    codes: list[str] = Field(sa_column=identifiers())
    size_bytes: int
    sealed: bytes = Field(sa_column=octets())
    created_at: datetime = Field(sa_column=moment())
    expires_at: datetime = Field(sa_column=moment())
    replayed_at: datetime | None = Field(default=None, sa_column=moment(nullable=True))


class ReaderCursor(SQLModel, table=True):
    """How far an internal reader is (today: the relay of verdicts to Kafka), and who moves it."""

    __tablename__ = "reader_cursor"

    reader: str = Field(sa_column=identifier(primary_key=True))
    position: int = Field(sa_column=Column(BigInteger, nullable=False, server_default=text("0")))
    owner: str | None = Field(default=None, sa_column=Column(Text, nullable=True))
    expires_at: datetime | None = Field(default=None, sa_column=moment(nullable=True))
