"""Who is told: destinations, their leases and parked deliveries, and the ledger of all that was done."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Identity, Index, Integer, Text, text
from sqlmodel import Field, SQLModel

from schemas.database.columns import identifier, identifiers, moment, octets


class Destination(SQLModel, table=True):
    """A credit platform or agency that is pushed to, as data.

    It is owed a feed row if the row names its `channel`, or if both an area and a region of the row are
    among its own. `secrets` are the live signing secrets, sealed with the data key, newest first.
    """

    __tablename__ = "destination"

    code: str = Field(sa_column=identifier(primary_key=True))
    name_zh: str
    name_en: str
    agency_type: str | None = Field(default=None, sa_column=identifier(nullable=True))
    channel: str | None = Field(default=None, sa_column=identifier(nullable=True))
    areas: list[str] = Field(sa_column=identifiers())
    regions: list[str] = Field(sa_column=identifiers())
    url: str
    secrets: bytes = Field(sa_column=octets())
    state: str = Field(sa_column=Column(Text(collation="C"), nullable=False, server_default="ACTIVE"))
    state_reason: str | None = None
    shards: int = Field(sa_column=Column(Integer, nullable=False, server_default=text("4")))
    connections: int | None = None
    max_unsettled: int | None = None
    start_after: int = Field(sa_column=Column(BigInteger, nullable=False, server_default=text("0")))
    created_at: datetime = Field(sa_column=moment(now=True))
    updated_at: datetime = Field(sa_column=moment(now=True))


class Lease(SQLModel, table=True):
    """Who pushes one (destination, shard), how far it is settled, and what may be in flight.

    `token` rises with every change of owner: the fence. All feed rows up to `position` are settled or
    parked; those after it up to `intent_to` may have left. Written before the requests leave.
    """

    __tablename__ = "lease"
    __table_args__ = ({"postgresql_with": {"fillfactor": "50"}},)

    destination: str = Field(
        sa_column=Column(
            Text(collation="C"), ForeignKey("destination.code", ondelete="CASCADE"), primary_key=True
        )
    )
    shard: int = Field(primary_key=True)
    owner: str | None = Field(default=None, sa_column=Column(Text, nullable=True))
    token: int = Field(sa_column=Column(BigInteger, nullable=False, server_default=text("0")))
    expires_at: datetime | None = Field(default=None, sa_column=moment(nullable=True))
    position: int = Field(sa_column=Column(BigInteger, nullable=False, server_default=text("0")))
    intent_to: int = Field(sa_column=Column(BigInteger, nullable=False, server_default=text("0")))


class ParkedDelivery(SQLModel, table=True):
    """A delivery that waits in a parked lane; of each record only the newest waiting version does.

    `attempt` counts this version's attempts, `failures` the lane's failures in a row (its back-off).
    `in_flight`: one more attempt may have left since (the intent).
    """

    __tablename__ = "parked_delivery"
    __table_args__ = (
        Index("parked_delivery_shard", "destination", "shard"),
        {"postgresql_with": {"fillfactor": "70"}},
    )

    destination: str = Field(
        sa_column=Column(
            Text(collation="C"), ForeignKey("destination.code", ondelete="CASCADE"), primary_key=True
        )
    )
    seq: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    shard: int
    lane: str = Field(sa_column=identifier())
    record_uid: str = Field(sa_column=identifier())
    version: int
    attempt: int = Field(sa_column=Column(Integer, nullable=False, server_default=text("0")))
    failures: int = Field(sa_column=Column(Integer, nullable=False, server_default=text("0")))
    due_at: datetime = Field(sa_column=moment())
    in_flight: bool = Field(sa_column=Column(Boolean, nullable=False, server_default=text("false")))
    last_error: str | None = None
    parked_at: datetime = Field(sa_column=moment(now=True))


class Ledger(SQLModel, table=True):
    """The append-only log: attempts with their outcome, versions settled without one, pages served.

    kind ATTEMPT: one request that left (or, with outcome UNKNOWN, may have left). kind SUPERSEDED: a
    waiting version that a newer one overtook. kind PAGE: feed rows of one `area` handed to a
    poller (`from_seq` to `to_seq`, `items` of them). The idempotency id of
    a delivery is `record_uid.version.reader`. Hashes are SHA-256 of the bytes on the wire.
    """

    __tablename__ = "ledger"
    __table_args__ = (
        Index("ledger_reader_seq", "reader", "seq"),
        Index("ledger_record", "record_uid", "reader"),
        {"postgresql_partition_by": "RANGE (entry_id)"},
    )

    entry_id: int = Field(sa_column=Column(BigInteger, Identity(always=False), primary_key=True))
    kind: str = Field(sa_column=identifier())
    reader: str = Field(sa_column=identifier())
    shard: int | None = None
    token: int | None = Field(default=None, sa_column=Column(BigInteger, nullable=True))
    seq: int | None = Field(default=None, sa_column=Column(BigInteger, nullable=True))
    record_uid: str | None = Field(default=None, sa_column=identifier(nullable=True))
    version: int | None = None
    op: str | None = Field(default=None, sa_column=identifier(nullable=True))
    attempt: int | None = None
    outcome: str | None = Field(default=None, sa_column=identifier(nullable=True))
    status: int | None = None
    error: str | None = Field(default=None, sa_column=identifier(nullable=True))
    sent_at: datetime | None = Field(default=None, sa_column=moment(nullable=True))
    settled_at: datetime = Field(sa_column=moment())
    retry_at: datetime | None = Field(default=None, sa_column=moment(nullable=True))
    request_sha256: bytes | None = Field(default=None, sa_column=octets(nullable=True))
    response_sha256: bytes | None = Field(default=None, sa_column=octets(nullable=True))
    from_seq: int | None = Field(default=None, sa_column=Column(BigInteger, nullable=True))
    to_seq: int | None = Field(default=None, sa_column=Column(BigInteger, nullable=True))
    area: str | None = Field(default=None, sa_column=identifier(nullable=True))
    items: int | None = None
    publisher: str | None = Field(default=None, sa_column=identifier(nullable=True))


class PublisherPresence(SQLModel, table=True):
    """The publishers that are alive, so that each takes its fair share of the leases."""

    __tablename__ = "publisher_presence"

    publisher: str = Field(sa_column=identifier(primary_key=True))
    started_at: datetime = Field(sa_column=moment(now=True))
    seen_at: datetime = Field(sa_column=moment(now=True))
