"""What is true: subjects, records, and the feed of all their versions."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Column, Index, SmallInteger, text
from sqlmodel import Field, SQLModel

from schemas.database.columns import identifier, identifiers, moment, octets


class SequenceHead(SQLModel, table=True):
    """The last numbers given out.

    Taken by the last statement of a register transaction and locked until it commits, so that numbers are
    dense and in commit order, and no reader can step over a row that commits later.
    """

    __tablename__ = "sequence_head"
    __table_args__ = (CheckConstraint("one", name="sequence_head_one_check"),)

    one: bool = Field(sa_column=Column(Boolean, primary_key=True, server_default=text("true")))
    feed: int = Field(sa_column=Column(BigInteger, nullable=False, server_default=text("0")))
    verdict: int = Field(sa_column=Column(BigInteger, nullable=False, server_default=text("0")))


class Subject(SQLModel, table=True):
    """An enterprise by its USCC; the row that a transaction locks before it touches the subject."""

    __tablename__ = "subject"

    uscc: str = Field(sa_column=identifier(primary_key=True))
    first_seen_at: datetime = Field(sa_column=moment(now=True))


class Record(SQLModel, table=True):
    """The current state of one record: a projection of the feed, rebuilt from it at will."""

    __tablename__ = "record"
    __table_args__ = (
        Index("record_subject", "subject"),
        Index("record_case", "case_id"),
        Index("record_document", "authority_uscc", "doc_key"),
        {"postgresql_with": {"fillfactor": "85"}},
    )

    record_uid: str = Field(sa_column=identifier(primary_key=True))
    version: int
    seq: int = Field(sa_column=Column(BigInteger, nullable=False))
    state: str = Field(sa_column=identifier())
    cause: str | None = Field(default=None, sa_column=identifier(nullable=True))
    subject: str = Field(sa_column=identifier())
    lane: str = Field(sa_column=identifier())
    lane_hash: int = Field(sa_column=Column(SmallInteger, nullable=False))
    case_id: str = Field(sa_column=identifier())
    authority_uscc: str = Field(sa_column=identifier())
    doc_key: str | None = Field(default=None, sa_column=identifier(nullable=True))
    regions: list[str] = Field(sa_column=identifiers())
    areas: list[str] = Field(sa_column=identifiers())
    channels: list[str] = Field(sa_column=identifiers())
    listed_on: date | None = None
    publicity_until: date | None = None
    updated_at: datetime = Field(sa_column=moment())


class Feed(SQLModel, table=True):
    """Every version of every record, immutable, numbered densely in commit order.

    `lane` is the record's first subject code, `lane_hash` its CRC-32 modulo 32768 (shard = hash mod the
    reader's shards). `areas`, `regions` and `channels` say whom it concerns: empty ones match nobody.
    `body` is the record as JSON, the very bytes that are pushed.
    """

    __tablename__ = "feed"
    __table_args__ = (
        Index("feed_record", "record_uid", "version"),
        {"postgresql_partition_by": "RANGE (seq)"},
    )

    seq: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    record_uid: str = Field(sa_column=identifier())
    version: int
    kind: str = Field(sa_column=identifier())
    op: str = Field(sa_column=identifier())
    state: str = Field(sa_column=identifier())
    cause: str | None = Field(default=None, sa_column=identifier(nullable=True))
    supersedes: int | None = None
    subject: str = Field(sa_column=identifier())
    lane: str = Field(sa_column=identifier())
    lane_hash: int = Field(sa_column=Column(SmallInteger, nullable=False))
    regions: list[str] = Field(sa_column=identifiers())
    areas: list[str] = Field(sa_column=identifiers())
    channels: list[str] = Field(sa_column=identifiers())
    inbox_id: int | None = Field(default=None, sa_column=Column(BigInteger, nullable=True))
    trace_id: str | None = Field(default=None, sa_column=identifier(nullable=True))
    body: bytes = Field(sa_column=octets())
    registered_at: datetime = Field(sa_column=moment())


class PartitionPlan(SQLModel, table=True):
    """How wide the partitions of an append-only table are, and up to where they exist."""

    __tablename__ = "partition_plan"

    parent: str = Field(sa_column=identifier(primary_key=True))
    width: int = Field(sa_column=Column(BigInteger, nullable=False))
    made_to: int = Field(sa_column=Column(BigInteger, nullable=False, server_default=text("0")))
