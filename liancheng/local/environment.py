"""What each process of a stack is told: `LIANCHENG_…` variables and nothing of ours besides."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import orjson

from schemas.database import roles
from services.runtime.settings import PREFIX

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

Audience = Literal["broker", "publisher", "operator"]
"""`operator`: a person or a test that runs `liancheng migrate|destination|key|emit|deadletter`."""
SIMULATOR_PREFIX: Final = f"{PREFIX}SIMULATOR_"
_KEPT: Final = frozenset({"LIANCHENG_CACHE"})
_URL_OF: Final = {role: f"{role.removeprefix('liancheng_')}_database_url" for role in roles.ROLES}
_ROLES_OF: Final[Mapping[Audience, tuple[str, ...]]] = {
    "broker": (roles.BROKER, roles.API),
    "publisher": (roles.PUBLISHER,),
    "operator": roles.ROLES,
}


@dataclass(frozen=True)
class Topics:
    """Names of topics and consumer group; a Kafka that several stacks share needs them different."""

    events: str = "capacity-exit.events"
    verdicts: str = "capacity-exit.verdicts"
    group: str = "liancheng-broker"
    partitions: int = 6


@dataclass(frozen=True)
class Wiring:
    """Where the servers of a stack are, and its secrets."""

    role_dsns: Mapping[str, str]
    bootstrap: str
    topics: Topics
    data_key: str

    def variables(self, audience: Audience) -> dict[str, str]:
        """Only what the audience needs: no service knows the password of another's role."""
        settings: dict[str, object] = {_URL_OF[role]: self.role_dsns[role] for role in _ROLES_OF[audience]}
        settings["data_key"] = self.data_key
        if audience != "publisher":
            settings |= {
                "kafka_bootstrap": self.bootstrap,
                "kafka_events_topic": self.topics.events,
                "kafka_verdicts_topic": self.topics.verdicts,
                "kafka_group": self.topics.group,
            }
        return as_variables(PREFIX, settings)


def as_variables(prefix: str, settings: Mapping[str, object]) -> dict[str, str]:
    """Settings as pydantic-settings reads them: objects and lists as JSON, None left out."""
    return {prefix + name.upper(): _as_text(value) for name, value in settings.items() if value is not None}


def _as_text(value: object) -> str:
    if isinstance(value, bool | dict | list | tuple):
        return orjson.dumps(value).decode()
    return str(value)


def process_environment(variables: Mapping[str, str], no_secrets: Path) -> dict[str, str]:
    """The environment of this process, with `variables` in place of all LIANCHENG_ variables of its own.

    `no_secrets` does not exist: a folder /run/secrets of this machine would hold settings too.
    """
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(PREFIX) or name in _KEPT
    }
    return {**inherited, "LIANCHENG_SECRETS_DIR": str(no_secrets), **variables}
