"""`liancheng deadletter`: list, show and replay refused messages."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time
from typing import TYPE_CHECKING, Any

import orjson
from pydantic import Field, SecretStr
from rich.console import Console
from rich.table import Table

from schemas.catalogue.load import load_catalogue
from schemas.codes import Code
from services.broker.deadletters import LetterSeal
from services.broker.hot_connection import HotConnection
from services.broker.letter_store import described, letter, letters
from services.broker.policy import Policy
from services.broker.record_uids import RecordUids
from services.broker.replay import Replay
from services.broker.service import system_clocks
from services.runtime.sealing import SealingError, SealingKeys
from services.runtime.settings import ServiceSettings, settings_from

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    import asyncpg

    from services.broker.letter_store import Letter
    from services.broker.replay import Replayed

SUMMARY = "Refused messages: sealed as they came, until the retention ends."
_REPLAY_AT_ONCE = 500
_NOT_DONE = 1


class DeadLetterSettings(ServiceSettings):
    broker_database_url: SecretStr = Field(description="postgresql:// URL of the role liancheng_broker")
    data_key: SecretStr = Field(description="base64 of the keys that opened or sealed the letters")
    deadletter_retention_days: int = Field(180, gt=0, description="days until a dead letter is purged")
    max_event_bytes: int = Field(1_048_576, gt=0, description="bytes of one event; a larger one is refused")


def _code(text: str) -> str:
    if text not in set(Code):
        raise argparse.ArgumentTypeError(f"no code {text!r}")
    return text


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="liancheng deadletter",
        description=f"{SUMMARY}\nNeeds LIANCHENG_BROKER_DATABASE_URL and LIANCHENG_DATA_KEY.",
        epilog="Exit code 1: a letter is not there, cannot be opened, or was refused again.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verbs = parser.add_subparsers(dest="verb", required=True)
    listing = verbs.add_parser("list", help="letters, oldest first, without their contents")
    listing.add_argument("--code", type=_code, help="only those with this code, such as E_USCC_CHECKSUM")
    listing.add_argument("--all", action="store_true", help="also those that a replay has settled")
    listing.add_argument("--after", type=int, default=0, metavar="ID", help="start after this letter")
    listing.add_argument("--limit", type=int, default=100, help="most letters to list (default: 100)")
    showing = verbs.add_parser("show", help="one letter: where it came from and what was wrong")
    showing.add_argument("id", type=int)
    showing.add_argument(
        "--raw",
        action="store_true",
        help="also key, headers and value as they came, which may hold personal data",
    )
    replaying = verbs.add_parser("replay", help="judge the stored messages again, in place")
    which = replaying.add_mutually_exclusive_group(required=True)
    which.add_argument("id", type=int, nargs="*", default=[])
    which.add_argument("--all", action="store_true", help="all that are still refused")
    which.add_argument("--code", type=_code, help="all that are still refused with this code")
    for verb in (listing, showing, replaying):
        verb.add_argument("--json", action="store_true", help="one JSON value on standard output")
    return parser


async def _with_connection(
    settings: DeadLetterSettings, work: Callable[[asyncpg.Connection], Awaitable[int]]
) -> int:
    connection = HotConnection(
        settings.broker_database_url.get_secret_value(), "liancheng-deadletter", {}, command_timeout=60
    )
    try:
        return await work(await connection.get())
    finally:
        await connection.close()


def run(argv: Sequence[str]) -> int:
    parser = _parser()
    given = parser.parse_args(argv)
    settings = settings_from(DeadLetterSettings, parser, {})
    verbs = {"list": _list, "show": _show, "replay": _replay}

    async def work(connection: asyncpg.Connection) -> int:
        return await verbs[given.verb](connection, settings, given)

    try:
        return asyncio.run(_with_connection(settings, work))
    except SealingError as error:
        print(f"liancheng deadletter: {error}", file=sys.stderr)
        return _NOT_DONE


async def _list(connection: asyncpg.Connection, _: DeadLetterSettings, given: argparse.Namespace) -> int:
    found = await letters(
        connection, code=given.code, refused_only=not given.all, after=given.after, limit=given.limit
    )
    if given.json:
        print(orjson.dumps(found).decode())
        return 0
    if not found:
        print("No dead letter. 没有死信。")
        return 0
    table = Table()
    for heading in ("id", "topic/partition@offset", "bytes", "came", "until", "codes", "verdict now"):
        table.add_column(heading, no_wrap=heading in ("id", "topic/partition@offset"))
    for one in found:
        table.add_row(
            str(one.inbox_id), f"{one.topic}/{one.partition}@{one.offset}", str(one.size_bytes),
            f"{one.created_at:%Y-%m-%d %H:%M}", f"{one.expires_at:%Y-%m-%d}", " ".join(one.codes),
            one.verdict,
        )  # fmt: skip
    Console().print(table)
    for code, zh, en in described(sorted({code for one in found for code in one.codes})):
        print(f"{code}  {zh}  {en}")
    if len(found) == given.limit:
        print(f"There may be more: --after {found[-1].inbox_id}")
    return 0


async def _show(
    connection: asyncpg.Connection, settings: DeadLetterSettings, given: argparse.Namespace
) -> int:
    found = await letter(connection, given.id)
    if found is None:
        print(f"liancheng deadletter: no letter {given.id}", file=sys.stderr)
        return _NOT_DONE
    sealed = found.pop("sealed")
    shown: dict[str, Any] = found
    if given.raw:
        seal = LetterSeal(
            SealingKeys(settings.data_key.get_secret_value()), settings.deadletter_retention_days
        )
        message = seal.open(found["topic"], found["kafka_partition"], found["kafka_offset"], sealed)
        shown |= {
            "key": _shown(message.key),
            "headers": [[name, _shown(content)] for name, content in message.headers],
            "value": _shown(message.value),
        }
    if given.json:
        print(orjson.dumps(shown).decode())
        return 0
    for name, value in shown.items():
        if name not in ("codes", "findings"):
            print(f"{name:<16} {value if value is not None else '-'}")
    for finding in shown["findings"]:
        ((code, zh, en),) = described([finding["code"]])
        print(f"{code:<28} {zh}  {en}")
        print(f"{'':<28} field {finding['field']}, value {finding['value']}, expected {finding['expected']}")
    return 0


def _shown(content: bytes | None) -> str | None:
    """Text as it is, anything else with its bytes spelled out."""
    return None if content is None else content.decode("utf-8", "backslashreplace")


async def _replay(
    connection: asyncpg.Connection, settings: DeadLetterSettings, given: argparse.Namespace
) -> int:
    replay = Replay(
        Policy(load_catalogue()),
        LetterSeal(SealingKeys(settings.data_key.get_secret_value()), settings.deadletter_retention_days),
        system_clocks(),
        RecordUids(os.urandom, lambda: time.time_ns() // 1_000_000).mint,
        settings.max_event_bytes,
    )
    done: list[Replayed] = []
    if given.id:
        done = await replay.replay(connection, given.id)
    else:
        page: list[Letter] | None = None
        while page is None or page:
            after = page[-1].inbox_id if page else 0
            page = await letters(
                connection, code=given.code, refused_only=True, after=after, limit=_REPLAY_AT_ONCE
            )
            done += await replay.replay(connection, [one.inbox_id for one in page])
    return _tell(done, given, missing=sorted(set(given.id) - {one.inbox_id for one in done}))


def _tell(done: list[Replayed], given: argparse.Namespace, missing: list[int]) -> int:
    if given.json:
        rows = [
            {"id": one.inbox_id, "former_codes": one.former_codes, "verdict": one.entry.verdict,
             "codes": [f.code for f in one.entry.codes], "record_uid": one.entry.record_uid,
             "version": one.entry.version} for one in done
        ]  # fmt: skip
        print(orjson.dumps({"replayed": rows, "not_found": missing}).decode())
    else:
        if not done and not missing:
            print("Nothing to replay. 没有可重新判定的死信。")
        for one in done:
            codes = " ".join(finding.code for finding in one.entry.codes)
            record = f"{one.entry.record_uid} v{one.entry.version}" if one.entry.record_uid else ""
            print(f"{one.inbox_id}: {' '.join(one.former_codes)} -> {one.entry.verdict} {codes}{record}")
        for inbox_id in missing:
            print(f"liancheng deadletter: no refused letter {inbox_id}", file=sys.stderr)
    refused = any(one.entry.verdict == "REFUSED" for one in done)
    return _NOT_DONE if refused or missing else 0
