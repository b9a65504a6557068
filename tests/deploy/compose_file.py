"""docker-compose.yml as the tests read it: variables at their defaults, secrets with generated values."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from liancheng.commands.deadletter import DeadLetterSettings
from liancheng.commands.destination import DestinationSettings
from liancheng.commands.emit import EmitSettings
from liancheng.commands.key import KeySettings
from liancheng.commands.migrate import MigrateSettings
from liancheng.commands.rebuild import RebuildSettings
from services.broker.settings import BrokerSettings
from services.publisher.settings import PublisherSettings
from services.simulator.settings import SimulatorSettings

ROOT = Path(__file__).parent.parent.parent
SETTINGS = {
    "migrate": (MigrateSettings, DestinationSettings),
    "broker": (BrokerSettings,),
    "publisher": (PublisherSettings,),
    "simulator": (SimulatorSettings,),
    "admin": (KeySettings, DestinationSettings, DeadLetterSettings, RebuildSettings, EmitSettings),
}
"""Service of the compose file -> the settings classes of what it runs."""


def text() -> str:
    return (ROOT / "docker-compose.yml").read_text("utf-8")


def parsed() -> dict[str, Any]:
    """Variables have to have defaults, and take them: a ValueError names one that has none."""

    def default(variable: re.Match[str]) -> str:
        if variable["default"] is None:
            raise ValueError(f"{variable[0]} has no default")
        return variable["default"]

    filled = re.sub(r"\$\{(?P<name>\w+)(?::-(?P<default>[^}]*))?\}", default, text())
    document: dict[str, Any] = yaml.safe_load(filled)
    return document


def seconds(duration: str) -> float:
    match = re.fullmatch(r"(\d+)s", duration)
    if match is None:
        raise ValueError(f"{duration!r} is not in seconds")
    return float(match[1])
