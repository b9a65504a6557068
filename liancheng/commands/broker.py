"""`liancheng broker`: one broker process with its API."""

from __future__ import annotations

from typing import TYPE_CHECKING

import uvloop

from services.broker.service import Broker
from services.broker.settings import BrokerSettings
from services.runtime import logs
from services.runtime.settings import read_settings
from services.runtime.stopping import stop_on_signals

if TYPE_CHECKING:
    from collections.abc import Sequence

SUMMARY = """Turn Kafka events into records, relay the verdicts, and serve the API. Any number share the
partitions. SIGTERM finishes the batch at hand and leaves the group, a second one ends at once. Exit code
75: the process ended itself because it no longer made progress; start it again."""


async def _run(settings: BrokerSettings) -> None:
    await Broker(settings).run(stop_on_signals())


def run(argv: Sequence[str]) -> int:
    settings = read_settings(BrokerSettings, "liancheng broker", SUMMARY, argv)
    logs.configure("broker", settings.log_level, settings.log_format)
    uvloop.run(_run(settings))
    return 0
