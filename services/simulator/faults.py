"""Faults on demand: rules of one receiver, drawn in order for every push."""

from __future__ import annotations

import random
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Final, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from services.simulator.message import BODILESS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class FaultKind(StrEnum):
    STATUS = "status"
    """Answers `status`."""
    LATENCY = "latency"
    """Answers as it should, `seconds` late."""
    TIMEOUT = "timeout"
    """Never answers; the connection stays until the client goes."""
    RESET = "reset"
    """Resets the connection (RST) instead of answering."""
    TRUNCATED = "truncated"
    """Breaks off in the middle of the answer's body."""
    RETRY_AFTER = "retry_after"
    """Answers `status` (429 if not given) with the header Retry-After."""
    ANSWER_THEN_DIE = "answer_then_die"
    """Answers 200 and closes the connection at once, unannounced."""
    DOWN = "down"
    """Resets the connection when the head is there, before the body is read: no arrival."""


_NEEDS: Final[Mapping[FaultKind, frozenset[str]]] = {
    FaultKind.STATUS: frozenset({"status"}),
    FaultKind.LATENCY: frozenset({"seconds"}),
    FaultKind.RETRY_AFTER: frozenset({"retry_after"}),
}
_TAKES: Final[Mapping[FaultKind, frozenset[str]]] = {
    FaultKind.STATUS: frozenset({"status", "stored"}),
    FaultKind.LATENCY: frozenset({"seconds"}),
    FaultKind.TIMEOUT: frozenset({"stored"}),
    FaultKind.RESET: frozenset({"stored"}),
    FaultKind.TRUNCATED: frozenset({"status", "stored"}),
    FaultKind.RETRY_AFTER: frozenset({"status", "retry_after", "stored"}),
    FaultKind.ANSWER_THEN_DIE: frozenset({"stored"}),
    FaultKind.DOWN: frozenset(),
}
_STORES_BY_ITSELF: Final = frozenset({FaultKind.LATENCY, FaultKind.ANSWER_THEN_DIE})


class FaultRule(BaseModel):
    """When a fault strikes, and how. A member without effect on its kind is an error.

    `probability` of each draw; `count` remaining uses (none: for ever); `seconds` of latency; `retry_after`
    in seconds or as an HTTP date (RFC 9110, 10.2.3); `stored` whether the push takes effect at the receiver
    all the same, which is what a sender can't know (by default it doesn't, except for answer_then_die;
    with latency it always does).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: FaultKind
    probability: Annotated[float, Field(ge=0, le=1)] = 1.0
    count: Annotated[int, Field(ge=1)] | None = None
    status: Annotated[int, Field(ge=200, le=599)] | None = None
    seconds: Annotated[float, Field(ge=0, le=3600)] | None = None
    retry_after: Annotated[int, Field(ge=0)] | str | None = None
    stored: bool | None = None

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        given = self.model_fields_set - {"kind", "probability", "count"}
        if missing := _NEEDS.get(self.kind, frozenset()) - given:
            raise ValueError(f"{self.kind} needs {', '.join(sorted(missing))}")
        if idle := given - _TAKES[self.kind]:
            raise ValueError(f"{self.kind} has no use for {', '.join(sorted(idle))}")
        if isinstance(self.retry_after, str):
            parsedate_to_datetime(self.retry_after)
        if self.kind is FaultKind.TRUNCATED and self.status in BODILESS:
            raise ValueError(f"an answer {self.status} has no body to break off in")
        return self

    @property
    def takes_effect(self) -> bool:
        """Whether the receiver judges and keeps the push in spite of the fault."""
        return self.kind in _STORES_BY_ITSELF if self.stored is None else self.stored


@dataclass(slots=True)
class Armed:
    """A rule in force and how often it struck."""

    rule: FaultRule
    used: int = 0

    @property
    def remaining(self) -> int | None:
        return None if self.rule.count is None else self.rule.count - self.used


class Faults:
    """The rules of one receiver. The first rule that is drawn strikes.

    With a seed, the draws after each `replace` are the same on every run.
    """

    def __init__(self, receiver: str, seed: int | None) -> None:
        self._origin = None if seed is None else f"{seed}:{receiver}"
        self._armed: list[Armed] = []
        self._random = random.Random(self._origin)

    def replace(self, rules: Sequence[FaultRule]) -> None:
        self._armed = [Armed(rule) for rule in rules]
        self._random = random.Random(self._origin)

    def draw(self) -> FaultRule | None:
        """The fault of a push that arrived in full."""
        return self._draw(down=False) if self._armed else None

    def refuses(self) -> bool:
        """Whether the receiver is down for the request whose head is there."""
        return bool(self._armed) and self._draw(down=True) is not None

    def _draw(self, *, down: bool) -> FaultRule | None:
        for armed in self._armed:
            rule = armed.rule
            if (rule.kind is FaultKind.DOWN) is not down or armed.remaining == 0:
                continue
            if rule.probability >= 1 or self._random.random() < rule.probability:
                armed.used += 1
                return rule
        return None

    def view(self) -> list[dict[str, Any]]:
        """The rules with `used` and `remaining` (null: for ever)."""
        return [
            {**a.rule.model_dump(mode="json", exclude_none=True), "used": a.used, "remaining": a.remaining}
            for a in self._armed
        ]
