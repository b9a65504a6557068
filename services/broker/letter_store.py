"""Reads dead letters: lists, and one with its verdict. Sealed contents are opened only where asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from schemas.codes import Code

if TYPE_CHECKING:
    from datetime import datetime

    import asyncpg

LIST = """
select d.inbox_id, d.topic, d.kafka_partition, d.kafka_offset, d.codes, d.size_bytes, d.created_at,
d.expires_at, d.replayed_at, i.verdict from dead_letter d join inbox i using (inbox_id) where ($1::text is
null or $1 = any(d.codes)) and (not $2 or i.verdict = 'REFUSED') and d.inbox_id > $3 order by d.inbox_id
limit $4
"""
SHOW = """
select d.*, i.verdict, i.findings, i.event_source, i.event_id, i.event_type, i.record_uid, i.version
from dead_letter d join inbox i using (inbox_id) where d.inbox_id = $1
"""


@dataclass(frozen=True, slots=True)
class Letter:
    """A letter as listed. `verdict` is what stands now: no longer REFUSED after a replay that succeeded."""

    inbox_id: int
    topic: str
    partition: int
    offset: int
    codes: tuple[str, ...]
    size_bytes: int
    created_at: datetime
    expires_at: datetime
    replayed_at: datetime | None
    verdict: str


async def letters(
    connection: asyncpg.Connection, *, code: str | None, refused_only: bool, after: int, limit: int
) -> list[Letter]:
    """Oldest first, those after inbox id `after`."""
    rows = await connection.fetch(LIST, code, refused_only, after, limit)
    return [Letter(*row) for row in (_with_tuple(row) for row in rows)]


async def letter(connection: asyncpg.Connection, inbox_id: int) -> dict[str, Any] | None:
    """All columns of one letter and of its verdict; findings as a list."""
    row = await connection.fetchrow(SHOW, inbox_id)
    if row is None:
        return None
    return dict(row) | {"findings": orjson.loads(row["findings"] or b"[]")}


def described(codes: tuple[str, ...] | list[str]) -> list[tuple[str, str, str]]:
    """Each code with its Chinese and English text."""
    return [(code, Code(code).text("zh"), Code(code).text("en")) for code in codes]


def _with_tuple(row: asyncpg.Record) -> tuple[Any, ...]:
    values = list(row)
    values[4] = tuple(values[4])
    return tuple(values)
