"""What must come of each event: read from data, and checked to be about the events that are emitted."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, Self

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from schemas.events.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Collection

FOLDER: Final = Path(__file__).parent
EXPECTATIONS: Final = FOLDER / "expectations.toml"
EVENTS: Final = FOLDER / "events.ndjson"
DESTINATIONS: Final = FOLDER / "destinations.toml"


class ExpectationsError(ValueError):
    """A file of expectations that cannot be used; the message says where it is wrong."""


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Audience(_Entry):
    """Whom a version goes to: codes of destinations; those in `if_loaded` where there are such."""

    zh: str
    en: str
    always: tuple[str, ...]
    if_loaded: tuple[str, ...] = ()

    def among(self, loaded: Collection[str]) -> frozenset[str]:
        return frozenset((*self.always, *(code for code in self.if_loaded if code in loaded)))


class ExpectedEvent(_Entry):
    """One event. `version`, `state`, `op` and `audience` together, or none where no record comes of it."""

    id: str
    zh: str
    en: str
    verdict: Verdict
    codes: frozenset[str] = frozenset()
    warnings: frozenset[str] = frozenset()
    version: int | None = None
    state: str | None = None
    op: Literal["UPSERT", "FLAG", "RETRACT"] | None = None
    audience: str | None = None
    after: str | None = None
    same_record: str | None = None

    @model_validator(mode="after")
    def _whole_record_or_none(self) -> Self:
        if len({value is None for value in (self.version, self.state, self.op, self.audience)}) > 1:
            raise ValueError("version, state, op and audience go together")
        return self


class Expectations(_Entry):
    audiences: dict[str, Audience]
    events: tuple[ExpectedEvent, ...]

    @model_validator(mode="after")
    def _references_exist(self) -> Self:
        known: set[str] = set()
        for event in self.events:
            if event.audience is not None and event.audience not in self.audiences:
                raise ValueError(f"{event.id}: no audience {event.audience}")
            for name in (event.after, event.same_record):
                if name is not None and name not in known:
                    raise ValueError(f"{event.id}: {name} does not stand before it")
            known.add(event.id)
        if len(known) != len(self.events):
            raise ValueError("an event stands there twice")
        return self

    def told(self, event: ExpectedEvent, loaded: Collection[str]) -> frozenset[str]:
        """The destinations that must get the version of this event."""
        return self.audiences[event.audience].among(loaded) if event.audience else frozenset()


def read_expectations(path: Path = EXPECTATIONS) -> Expectations:
    """Raises ExpectationsError."""
    try:
        return Expectations.model_validate(tomllib.loads(path.read_text("utf-8")))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise ExpectationsError(f"{path}: {error}") from error
    except ValidationError as error:
        problems = (
            f"{'.'.join(map(str, part['loc'])) or 'the file'}: {part['msg']}"
            for part in error.errors(include_url=False)
        )
        raise ExpectationsError(f"{path}: {'; '.join(problems)}") from None


def read_events(path: Path = EVENTS) -> dict[str, dict[str, Any]]:
    """The CloudEvents of an NDJSON file by id."""
    events = (orjson.loads(line) for line in path.read_bytes().splitlines() if line.strip())
    return {event["id"]: event for event in events}


def read_destinations(path: Path = DESTINATIONS) -> list[dict[str, Any]]:
    """The destinations of a file as `liancheng destination load` takes, without addresses and secrets."""
    entries: list[dict[str, Any]] = tomllib.loads(path.read_text("utf-8"))["destinations"]
    return [
        {name: value for name, value in entry.items() if name not in {"url", "secret", "secret_env"}}
        for entry in entries
    ]
