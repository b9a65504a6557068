"""`liancheng key`: create, list, rotate and revoke API keys."""

from __future__ import annotations

import argparse
import asyncio
import re
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import asyncpg
import orjson
from pydantic import Field, SecretStr
from rich.console import Console
from rich.table import Table

from schemas.catalogue.load import load_catalogue
from services.broker.api import key_store
from services.broker.api.scopes import MEANINGS, Scope
from services.runtime.settings import ServiceSettings, settings_from

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from services.broker.api.tokens import Token

SUMMARY = "API keys. A secret is shown once, when it is made, and kept nowhere."
_REGION = re.compile(r"[0-9]{6}")
_EPILOG = "scopes:\n" + "\n".join(f"  {scope:<13} {zh}: {en}" for scope, (zh, en) in MEANINGS.items())


class KeySettings(ServiceSettings):
    migrator_database_url: SecretStr = Field(description="postgresql:// URL of the role liancheng_migrator")


def _codes(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))


def _scopes(text: str) -> tuple[Scope, ...]:
    try:
        return tuple(Scope(code) for code in _codes(text))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{error}; there are: {', '.join(Scope)}") from None


def _areas(text: str) -> tuple[str, ...]:
    known = load_catalogue().areas
    for code in (codes := _codes(text)):
        if code not in known:
            raise argparse.ArgumentTypeError(f"no area {code!r}; there are: {', '.join(known)}")
    return codes


def _regions(text: str) -> tuple[str, ...]:
    for code in (codes := _codes(text)):
        if not _REGION.fullmatch(code):
            raise argparse.ArgumentTypeError(f"{code!r} is no GB/T 2260 code of six digits")
    return codes


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not above zero")
    return value


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="liancheng key",
        description=f"{SUMMARY}\nNeeds LIANCHENG_MIGRATOR_DATABASE_URL.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verbs = parser.add_subparsers(dest="verb", required=True)
    creating = verbs.add_parser("create", help="make a key and show its secret")
    creating.add_argument("--name", required=True, help="whose it is, such as 乌海市政府采购中心")
    creating.add_argument(
        "--scopes", required=True, type=_scopes, help="comma-separated; see liancheng key --help"
    )
    creating.add_argument("--areas", type=_areas, default=(), help="granted areas, such as SA08,CREDIT")
    creating.add_argument(
        "--regions", type=_regions, default=(), help="granted GB/T 2260 codes; a city's covers its districts"
    )
    creating.add_argument("--expires-days", type=_positive, help="days until it ends; none: it does not")
    listing = verbs.add_parser("list", help="all keys, without secrets")
    rotating = verbs.add_parser(
        "rotate", help="make a new secret and show it; the old one goes on for a while"
    )
    rotating.add_argument("key_id")
    rotating.add_argument(
        "--overlap-hours", type=_positive, default=24, help="hours that the old secret opens (default: 24)"
    )
    revoking = verbs.add_parser("revoke", help="end a key, both of its secrets")
    revoking.add_argument("key_id")
    for verb in (creating, listing, rotating, revoking):
        verb.add_argument("--json", action="store_true", help="one JSON value on standard output")
    return parser


async def _with_connection(dsn: str, work: Callable[[asyncpg.Connection], Awaitable[Any]]) -> Any:
    connection = await asyncpg.connect(dsn)
    try:
        return await work(connection)
    finally:
        await connection.close()


def _show_token(token: Token, as_json: bool, **more: Any) -> None:
    if as_json:
        print(orjson.dumps({"key_id": token.key_id, "token": token.text(), **more}).decode())
        return
    print(f"key id  {token.key_id}\ntoken   {token.text()}")
    for name, value in more.items():
        print(f"{name.replace('_', ' '):<7} {value}")
    print("The token is shown this once. Send it as: Authorization: Bearer <token>", file=sys.stderr)


def _show_keys(rows: Sequence[asyncpg.Record], as_json: bool) -> None:
    if as_json:
        print(orjson.dumps([dict(row) for row in rows]).decode())
        return
    if not rows:
        print("No key yet. Make one: liancheng key create --help")
        return
    table = Table()
    table.add_column("key id", no_wrap=True)
    for heading in ("名称", "state", "scopes", "areas", "regions", "created", "expires"):
        table.add_column(heading)
    for row in rows:
        grant = (" ".join(row[column]) for column in ("scopes", "areas", "regions"))
        expires = f"{row['expires_at']:%Y-%m-%d %H:%M}" if row["expires_at"] else "never"
        table.add_row(
            row["key_id"], row["name"], row["state"], *grant, f"{row['created_at']:%Y-%m-%d %H:%M}", expires
        )
    Console().print(table)


def _refuse(reason: str) -> int:
    print(f"liancheng key: {reason}", file=sys.stderr)
    return 1


def run(argv: Sequence[str]) -> int:
    parser = _parser()
    given = parser.parse_args(argv)
    dsn = settings_from(KeySettings, parser, {}).migrator_database_url.get_secret_value()
    if given.verb == "list":
        _show_keys(asyncio.run(_with_connection(dsn, key_store.list_keys)), given.json)
        return 0
    if given.verb == "create":
        return _create(dsn, given)
    if given.verb == "rotate":
        overlap = timedelta(hours=given.overlap_hours)
        token = asyncio.run(
            _with_connection(dsn, lambda connection: key_store.rotate_key(connection, given.key_id, overlap))
        )
        if token is None:
            return _refuse(f"no key {given.key_id} in use")
        _show_token(
            token, given.json, old_secret_until=(datetime.now(UTC) + overlap).isoformat(timespec="seconds")
        )
        return 0
    if not asyncio.run(
        _with_connection(dsn, lambda connection: key_store.revoke_key(connection, given.key_id))
    ):
        return _refuse(f"no key {given.key_id} in use")
    print(orjson.dumps({"revoked": given.key_id}).decode() if given.json else f"{given.key_id} is revoked")
    return 0


def _create(dsn: str, given: argparse.Namespace) -> int:
    ends = None if given.expires_days is None else datetime.now(UTC) + timedelta(days=given.expires_days)
    try:
        key = key_store.NewKey(given.name, given.scopes, given.areas, given.regions, ends)
    except ValueError as error:
        return _refuse(str(error))
    token = asyncio.run(_with_connection(dsn, lambda connection: key_store.create_key(connection, key)))
    _show_token(token, given.json)
    return 0
