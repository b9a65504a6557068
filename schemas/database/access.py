"""Who may ask: API keys with scopes and the areas and regions of their grant."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Field, SQLModel

from schemas.database.columns import identifier, identifiers, moment, octets


class ApiKey(SQLModel, table=True):
    """An API key. Its secret has 256 random bits, of which only the SHA-256 is kept."""

    __tablename__ = "api_key"

    key_id: str = Field(sa_column=identifier(primary_key=True))
    name: str
    secret_sha256: bytes = Field(sa_column=octets())
    previous_sha256: bytes | None = Field(default=None, sa_column=octets(nullable=True))
    previous_until: datetime | None = Field(default=None, sa_column=moment(nullable=True))
    scopes: list[str] = Field(sa_column=identifiers())
    areas: list[str] = Field(sa_column=identifiers())
    regions: list[str] = Field(sa_column=identifiers())
    created_at: datetime = Field(sa_column=moment(now=True))
    expires_at: datetime | None = Field(default=None, sa_column=moment(nullable=True))
    revoked_at: datetime | None = Field(default=None, sa_column=moment(nullable=True))
