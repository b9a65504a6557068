"""Rebuilds the projection of current records from the feed, or compares the two.

The feed is the truth; `record` only spares the reader a search for each record's newest version. (What a
destination is known to hold is no table: it is read from the ledger whenever it is asked for.)
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from schemas.documents import normalise_document_number

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import asyncpg

PAGE_RECORDS = 5_000  # newest versions read at a time: some 15 MB of bodies
COLUMNS = (
    "record_uid", "version", "seq", "state", "cause", "subject", "lane", "lane_hash", "case_id",
    "authority_uscc", "doc_key", "regions", "areas", "channels", "listed_on", "publicity_until",
)  # fmt: skip
_NEWEST = """
select distinct on (record_uid) record_uid, version, seq, state, cause, subject, lane, lane_hash, regions,
    areas, channels, body, registered_at
from feed where kind = 'RECORD' and record_uid > $1 order by record_uid, version desc limit $2
"""
_STANDING = """
select record_uid, version, seq, state, cause, subject, lane, lane_hash, case_id, authority_uscc, doc_key,
    regions, areas, channels, listed_on, publicity_until
from record where record_uid = any($1::text[])
"""


class Difference(NamedTuple):
    """One column of one record; `stands` is None for a record that the projection lacks altogether."""

    record_uid: str
    column: str
    stands: object
    should_be: object


def project(row: asyncpg.Record) -> tuple[Any, ...]:
    """The projection of a record from its newest version, in the order of `COLUMNS`."""
    body = orjson.loads(row["body"])
    decision = body.get("decision")
    return (
        row["record_uid"], row["version"], row["seq"], row["state"], row["cause"], row["subject"],
        row["lane"], row["lane_hash"], body["case_ids"][0], body["authority"]["uscc"],
        normalise_document_number(decision["doc_no"]) if decision else None,
        row["regions"], row["areas"], row["channels"], _day(body["listed_on"]), _day(body["publicity_until"]),
    )  # fmt: skip


def _day(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)


async def newest_versions(connection: asyncpg.Connection) -> AsyncIterator[list[asyncpg.Record]]:
    """The newest feed row of every record, in pages by record uid."""
    last = ""
    while page := await connection.fetch(_NEWEST, last, PAGE_RECORDS):
        yield page
        last = page[-1]["record_uid"]


async def compare(connection: asyncpg.Connection) -> tuple[int, list[Difference]]:
    """How many records the feed has, and everything in which the projection disagrees with it."""
    differences: list[Difference] = []
    records = 0
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        async for page in newest_versions(connection):
            records += len(page)
            standing = {
                row["record_uid"]: tuple(row)
                for row in await connection.fetch(_STANDING, [row["record_uid"] for row in page])
            }
            for row in page:
                right = project(row)
                stands = standing.get(right[0])
                if stands is None:
                    differences.append(Difference(right[0], "record_uid", None, right[0]))
                    continue
                differences += [
                    Difference(right[0], column, is_, should_be)
                    for column, is_, should_be in zip(COLUMNS, stands, right, strict=True)
                    if is_ != should_be
                ]
        strays = await connection.fetch(
            "select record_uid from record r where not exists"
            " (select from feed f where f.record_uid = r.record_uid and f.kind = 'RECORD')"
        )
        differences += [Difference(row[0], "record_uid", row[0], None) for row in strays]
    return records, differences


async def rebuild(connection: asyncpg.Connection) -> int:
    """Write the projection anew, in one transaction; how many records it has.

    Registering waits meanwhile: the head row is held, which every version has to pass.
    """
    records = 0
    async with connection.transaction():
        await connection.execute("select from sequence_head for update")
        await connection.execute("delete from record")
        async for page in newest_versions(connection):
            records += len(page)
            await connection.copy_records_to_table(
                "record",
                columns=(*COLUMNS, "updated_at"),
                records=[(*project(row), row["registered_at"]) for row in page],
            )
    return records
