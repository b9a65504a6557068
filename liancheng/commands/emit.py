"""`liancheng emit`: send events from a file to Kafka, and show what became of them."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
from aiokafka.errors import KafkaError
from pydantic import Field
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from schemas.codes import Code
from services.broker.emitting import VerdictWatch, read_emissions, send
from services.broker.settings import KafkaSettings
from services.runtime.settings import settings_from

if TYPE_CHECKING:
    from collections.abc import Sequence

    from services.broker.emitting import Emission, EventKey

SUMMARY = "Send events from an NDJSON file: bare CloudEvents, or objects with one under `event`."
_UNANSWERED = 1
_SHOW_PROGRESS_FROM = 200


class EmitSettings(KafkaSettings):
    kafka_events_topic: str = Field("capacity-exit.events", description="topic that events are sent to")
    kafka_verdicts_topic: str = Field("capacity-exit.verdicts", description="topic that verdicts come from")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="liancheng emit",
        description=SUMMARY,
        epilog="Kafka is where LIANCHENG_KAFKA_BOOTSTRAP says; the other LIANCHENG_KAFKA_… settings are"
        " those of liancheng broker. Exit code 1: Kafka did not take the events, or a verdict did not come.",
    )
    parser.add_argument("file", type=Path, help="NDJSON file; - for standard input")
    parser.add_argument("--topic", dest="kafka_events_topic", help="topic (default: capacity-exit.events)")
    parser.add_argument("--bootstrap", dest="kafka_bootstrap", help="host:port[,host:port …] of Kafka")
    parser.add_argument(
        "--mode", choices=("structured", "binary"), default="structured", help="CloudEvents content mode"
    )
    parser.add_argument("--rate", type=float, metavar="N", help="events a second at most")
    parser.add_argument("--only", default="", metavar="ID,ID", help="only these events, in this order")
    parser.add_argument("--wait", action="store_true", help="wait for the verdicts and show them")
    parser.add_argument(
        "--timeout", type=float, default=30, metavar="S", help="with --wait: s to wait (default: 30)"
    )
    parser.add_argument("--json", action="store_true", help="with --wait: verdicts as JSON lines")
    return parser


def run(argv: Sequence[str]) -> int:
    parser = _parser()
    given = parser.parse_args(argv)
    named = {name: getattr(given, name) for name in ("kafka_events_topic", "kafka_bootstrap")}
    settings = settings_from(EmitSettings, parser, {k: v for k, v in named.items() if v is not None})
    only = [part.strip() for part in given.only.split(",") if part.strip()]
    try:
        content = sys.stdin.buffer.read() if str(given.file) == "-" else given.file.read_bytes()
        emissions = read_emissions(content.splitlines(), binary=given.mode == "binary", only=only)
    except (OSError, ValueError, KeyError) as error:
        print(f"liancheng emit: {given.file}: {error}", file=sys.stderr)
        return _UNANSWERED
    if not emissions:
        print("Nothing to send. 没有事件。")
        return 0
    try:
        return asyncio.run(_emit(settings, emissions, given))
    except (KafkaError, OSError) as error:
        print(f"liancheng emit: Kafka at {settings.kafka_bootstrap}: {error}", file=sys.stderr)
        return _UNANSWERED


async def _emit(settings: EmitSettings, emissions: Sequence[Emission], given: argparse.Namespace) -> int:
    watch = VerdictWatch(settings, settings.kafka_verdicts_topic) if given.wait else None
    if watch is not None:
        await watch.start()
    try:
        hidden = len(emissions) < _SHOW_PROGRESS_FROM or given.json
        with Progress(console=Console(stderr=True), disable=hidden) as bar:
            task = bar.add_task("sending", total=len(emissions))
            await send(
                settings,
                settings.kafka_events_topic,
                emissions,
                rate=given.rate,
                progress=lambda done: bar.update(task, completed=done),
            )
        print(f"{len(emissions)} events sent to {settings.kafka_events_topic}", file=sys.stderr)
        if watch is None:
            return 0
        verdicts = await _collect(watch, {emission.event_key for emission in emissions}, given.timeout)
    finally:
        if watch is not None:
            await watch.stop()
    return _show(emissions, verdicts, as_json=given.json)


async def _collect(
    watch: VerdictWatch, expected: set[EventKey], seconds: float
) -> dict[EventKey, list[dict[str, Any]]]:
    """Verdicts by event; a held event that another completed has two."""
    found: dict[EventKey, list[dict[str, Any]]] = {}
    try:
        async with asyncio.timeout(seconds):
            async for verdict in watch.verdicts():
                key = (verdict["event"]["source"] or "", verdict["event"]["id"] or "")
                if key in expected:
                    found.setdefault(key, []).append(verdict)
                if found.keys() >= expected:
                    break
    except TimeoutError:
        pass  # what is missing is shown
    return found


def _show(
    emissions: Sequence[Emission], verdicts: dict[EventKey, list[dict[str, Any]]], *, as_json: bool
) -> int:
    missing = [emission for emission in emissions if emission.event_key not in verdicts]
    if as_json:
        for found in verdicts.values():
            for verdict in found:
                print(orjson.dumps(verdict).decode())
    else:
        table = Table()
        for heading in ("event", "verdict", "record", "codes"):
            table.add_column(heading)
        for emission in emissions:
            for verdict in verdicts.get(emission.event_key, ()):
                table.add_row(emission.id, verdict["verdict"], _record(verdict), _codes(verdict))
        Console().print(table)
    for emission in missing:
        print(f"liancheng emit: no verdict on {emission.id}", file=sys.stderr)
    return _UNANSWERED if missing else 0


def _record(verdict: dict[str, Any]) -> str:
    return f"{verdict['record_uid']} v{verdict['version']}" if verdict["record_uid"] else ""


def _codes(verdict: dict[str, Any]) -> str:
    found = [*verdict["codes"], *verdict["warnings"]]
    return "\n".join(f"{finding['code']} {Code(finding['code']).text('zh')}" for finding in found)
