"""All tables, gathered for migrations and their tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlmodel import SQLModel

from schemas.database import access, deliveries, intake, records

if TYPE_CHECKING:
    from sqlalchemy import MetaData

MODULES = (access, deliveries, intake, records)
METADATA: MetaData = SQLModel.metadata
