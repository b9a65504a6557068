"""`liancheng rebuild`: the projection of current records, written anew from the feed or compared with it."""

from __future__ import annotations

import argparse
import asyncio
from typing import TYPE_CHECKING

import asyncpg
from pydantic import Field, SecretStr

from services.broker.rebuild import Difference, compare, rebuild
from services.runtime.settings import ServiceSettings, settings_from

if TYPE_CHECKING:
    from collections.abc import Sequence

SUMMARY = """Rebuild the projection of current records from the feed, or compare the two (--check: exit code
1 if they differ). What a destination is known to hold is no table: it is read from the ledger when asked."""
SHOWN = 20  # differences printed; the number of all is always said


class RebuildSettings(ServiceSettings):
    migrator_database_url: SecretStr = Field(description="postgresql:// URL of the role liancheng_migrator")


async def _run(dsn: str, *, check: bool) -> int:
    connection = await asyncpg.connect(dsn)
    try:
        if check:
            records, differences = await compare(connection)
            _print(records, differences)
            return 1 if differences else 0
        print(f"{await rebuild(connection)} records rebuilt from the feed")
        return 0
    finally:
        await connection.close()


def _print(records: int, differences: list[Difference]) -> None:
    if not differences:
        print(f"{records} records: the projection equals the feed")
        return
    for uid, column, stands, should_be in differences[:SHOWN]:
        print(f"{uid} {column}: is {stands!r}, the feed says {should_be!r}")
    if len(differences) > SHOWN:
        print(f"… and {len(differences) - SHOWN} more")
    print(
        f"{len(differences)} differences in {records} records; liancheng rebuild writes the projection anew"
    )


def run(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="liancheng rebuild", description=SUMMARY)
    parser.add_argument("--check", action="store_true", help="only compare")
    given = parser.parse_args(argv)
    settings = settings_from(RebuildSettings, parser, {})
    return asyncio.run(_run(settings.migrator_database_url.get_secret_value(), check=given.check))
