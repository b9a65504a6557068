"""`liancheng destination`: load destinations from a file, list them, start a stopped one again."""

from __future__ import annotations

import argparse
import asyncio
import base64
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg
import orjson
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError
from rich.console import Console
from rich.table import Column, Table

from services.publisher.destinations import sealing_context
from services.publisher.wire.signing import SigningKey
from services.publisher.wire.target import Target
from services.runtime.sealing import SealingKeys
from services.runtime.settings import ServiceSettings, named_secret, settings_from

if TYPE_CHECKING:
    from collections.abc import Sequence

SUMMARY = "Destinations: who is pushed to, where, and with which secrets."


class DestinationSettings(ServiceSettings):
    migrator_database_url: SecretStr = Field(description="postgresql:// URL of the role liancheng_migrator")
    data_key: SecretStr = Field(description="base64 of 32 bytes: seals the signing secrets")


class DestinationEntry(BaseModel):
    """One `[[destinations]]` entry of the file.

    A secret is `whsec_` and base64 of 24 to 64 bytes; `secret_env` names the variable of the environment, or
    in lower case the file in the secrets folder, that holds it. Several secrets, comma-separated, all sign: a
    rotation with overlap.
    """

    model_config = ConfigDict(extra="forbid")

    code: str = Field(pattern=r"^[A-Z0-9_]{2,40}$")
    name_zh: str
    name_en: str
    agency_type: str | None = None
    channel: str | None = None
    areas: list[str] = []
    regions: list[str] = []
    url: str
    secret: SecretStr | None = None
    secret_env: str | None = None
    shards: int = Field(4, ge=1, le=256)
    connections: int | None = Field(None, ge=1)
    max_unsettled: int | None = Field(None, ge=1)
    start: str = Field("beginning", pattern="^(beginning|now)$")

    def live_secrets(self) -> list[str]:
        """Raises ValueError without a usable secret."""
        given = self.secret.get_secret_value() if self.secret else named_secret(self.secret_env or "")
        secrets = [secret.strip() for secret in given.split(",") if secret.strip()]
        if not secrets:
            raise ValueError(f"destination {self.code} has no secret: set `secret`, or `secret_env`")
        for secret in secrets:
            SigningKey.parse(secret)
        return secrets


_UPSERT = """
insert into destination (code, name_zh, name_en, agency_type, channel, areas, regions, url, secrets, shards,
    connections, max_unsettled, start_after)
select r.code, r.name_zh, r.name_en, r.agency_type, r.channel, r.areas, r.regions, r.url,
    decode(r.secrets, 'base64'), r.shards, r.connections, r.max_unsettled,
    case when r.start = 'now' then (select feed from sequence_head) else 0 end
from json_to_recordset($1::json) r(code text, name_zh text, name_en text, agency_type text, channel text,
    areas text[], regions text[], url text, secrets text, shards int, connections int, max_unsettled int,
    start text)
on conflict (code) do update set name_zh = excluded.name_zh, name_en = excluded.name_en,
    agency_type = excluded.agency_type, channel = excluded.channel, areas = excluded.areas,
    regions = excluded.regions, url = excluded.url, secrets = excluded.secrets,
    connections = excluded.connections, max_unsettled = excluded.max_unsettled,
    updated_at = clock_timestamp()
"""


def read_file(path: Path, base_url: str | None = None) -> list[DestinationEntry]:
    """Read and check a file; `{base}` in a URL becomes `base_url`. SystemExit with the reason."""
    try:
        raw: list[dict[str, Any]] = tomllib.loads(path.read_text("utf-8")).get("destinations", [])
        entries = [
            DestinationEntry(
                **{**item, "url": str(item.get("url", "")).replace("{base}", base_url or "{base}")}
            )
            for item in raw
        ]
        for entry in entries:
            Target.parse(entry.url)
            entry.live_secrets()
    except (OSError, ValueError, ValidationError) as error:
        raise SystemExit(f"liancheng destination: {path}: {error}") from None
    if not entries:
        raise SystemExit(f"liancheng destination: {path} has no [[destinations]]")
    return entries


async def load(dsn: str, data_key: str, entries: Sequence[DestinationEntry]) -> None:
    """Create or change destinations in one statement. What they hold and how far they are stays."""
    sealing = SealingKeys(data_key)
    rows = []
    for entry in entries:
        row = entry.model_dump(exclude={"secret", "secret_env"})
        sealed = sealing.seal(orjson.dumps(entry.live_secrets()), sealing_context(entry.code))
        rows.append(row | {"secrets": base64.b64encode(sealed).decode()})
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(_UPSERT, orjson.dumps(rows).decode())
    finally:
        await connection.close()


async def _list(dsn: str) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(dsn)
    try:
        rows: list[asyncpg.Record] = await connection.fetch(
            "select d.code, d.name_zh, d.state, d.state_reason, d.channel, d.areas, d.regions, d.url,"
            " (select feed from sequence_head)"
            " - (select min(position) from lease where destination = d.code),"
            " (select count(*) from parked_delivery where destination = d.code)"
            " from destination d order by d.code"
        )
        return rows
    finally:
        await connection.close()


async def _start(dsn: str, code: str) -> bool:
    connection = await asyncpg.connect(dsn)
    try:
        done = await connection.execute(
            "update destination set state = 'ACTIVE', state_reason = null, updated_at = clock_timestamp()"
            " where code = $1",
            code,
        )
        return bool(done == "UPDATE 1")
    finally:
        await connection.close()


def _print(rows: list[asyncpg.Record]) -> None:
    if not rows:
        print("No destination yet. Load some: liancheng destination load deploy/destinations.toml")
        return
    table = Table(Column("code", no_wrap=True), "名称", "state", "matches", "url", "behind", "parked")
    for code, name, state, reason, channel, areas, regions, url, behind, parked in rows:
        matches = channel or f"{' '.join(areas)} in {' '.join(regions)}"
        shown = state if not reason else f"{state}: {reason}"
        table.add_row(code, name, shown, matches, url, str(behind or 0), str(parked))
    Console().print(table)


def run(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="liancheng destination", description=SUMMARY)
    verbs = parser.add_subparsers(dest="verb", required=True)
    loading = verbs.add_parser("load", help="create or change destinations from a TOML file")
    loading.add_argument("file", type=Path)
    loading.add_argument("--base-url", help="replaces {base} in the file's URLs")
    verbs.add_parser("list", help="all destinations, how far behind they are, what is parked")
    starting = verbs.add_parser("start", help="start a stopped destination again where it stood")
    starting.add_argument("code")
    given = parser.parse_args(argv)
    settings = settings_from(DestinationSettings, parser, {})
    dsn = settings.migrator_database_url.get_secret_value()
    if given.verb == "load":
        entries = read_file(given.file, given.base_url)
        asyncio.run(load(dsn, settings.data_key.get_secret_value(), entries))
        print(f"{len(entries)} destinations loaded: {', '.join(entry.code for entry in entries)}")
    elif given.verb == "start":
        if not asyncio.run(_start(dsn, given.code)):
            print(f"liancheng destination: no destination {given.code}", file=sys.stderr)
            return 1
        print(f"{given.code} is active")
    else:
        _print(asyncio.run(_list(dsn)))
    return 0
