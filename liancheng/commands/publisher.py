"""`liancheng publisher`: one pushing process."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import uvloop

from services.publisher.health import serve_health
from services.publisher.service import Publisher
from services.publisher.settings import PublisherSettings
from services.runtime import logs
from services.runtime.settings import read_settings
from services.runtime.stopping import stop_on_signals

if TYPE_CHECKING:
    from collections.abc import Sequence

SUMMARY = """Push every version to the destinations that are owed it. One process uses one core; any number
share the work by leases. SIGTERM drains and hands over, a second one ends at once."""


async def _run(settings: PublisherSettings) -> None:
    stop = stop_on_signals()
    publisher = Publisher(settings)
    async with asyncio.TaskGroup() as group:
        health = group.create_task(serve_health(publisher))
        await publisher.run(stop)
        health.cancel()


def run(argv: Sequence[str]) -> int:
    settings = read_settings(PublisherSettings, "liancheng publisher", SUMMARY, argv)
    logs.configure("publisher", settings.log_level, settings.log_format)
    uvloop.run(_run(settings))
    return 0
