"""Column shapes that several tables share."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ARRAY, Column, DateTime, LargeBinary, Text, text


def identifier(*, nullable: bool = False, primary_key: bool = False) -> Column[str]:
    """An identifier compared byte by byte: no collation decides its order."""
    return Column(Text(collation="C"), nullable=nullable, primary_key=primary_key)


def identifiers(*, default_empty: bool = True) -> Column[list[str]]:
    """A set of identifiers, empty rather than null."""
    default = text("'{}'::text[]") if default_empty else None
    return Column(ARRAY(Text()), nullable=False, server_default=default)


def moment(*, nullable: bool = False, now: bool = False) -> Column[Any]:
    """An instant on the real clock, with time zone."""
    return Column(DateTime(timezone=True), nullable=nullable, server_default=text("now()") if now else None)


def octets(*, nullable: bool = False) -> Column[bytes]:
    return Column(LargeBinary(), nullable=nullable)
