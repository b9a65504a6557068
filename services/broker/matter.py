"""One event before the judge: what it says, what is known, and what has been found so far. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from schemas.codes import Finding

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

    from schemas.codes import Code, Scalar
    from schemas.events import EventData
    from schemas.events.verdict import Verdict
    from schemas.inbound import InboundEvent
    from services.broker.arrival import Arrival
    from services.broker.listing_check import Listing
    from services.broker.policy import Policy
    from services.broker.situation import InboxEntry, RecordVersion, Situation

PERSON = "person"


@dataclass(frozen=True, slots=True)
class Bench:
    """What the judge stands on: the policy, the legal clock's date in Asia/Shanghai, and new record uids."""

    policy: Policy
    today: date
    mint: Callable[[], str]


@dataclass(slots=True)
class Matter:
    """`problems` refuse, `holds` hold, `warnings` only warn; a refusal outweighs a hold (`RULINGS` V2)."""

    arrival: Arrival
    event: InboundEvent
    situation: Situation
    bench: Bench
    problems: list[Finding] = field(default_factory=list)
    holds: list[Finding] = field(default_factory=list)
    warnings: list[Finding] = field(default_factory=list)
    waits_for: str | None = None
    reevaluate_on: date | None = None
    listing: Listing | None = None
    """What a listing decision amounts to, as its check found."""

    def refuse(self, code: Code, at: str, value: Scalar = None, expected: Scalar = None) -> None:
        self.problems.append(Finding(code, at, value, expected))

    def hold(
        self, code: Code, at: str, waits_for: str, value: Scalar = None, expected: Scalar = None
    ) -> None:
        self.holds.append(Finding(code, at, value, expected))
        self.waits_for = self.waits_for or waits_for

    def warn(self, code: Code, at: str, value: Scalar = None, expected: Scalar = None) -> None:
        self.warnings.append(Finding(code, at, value, expected))


class Outcome(NamedTuple):
    """What a rule decides on a sound event.

    `record`: the version to write. `settled`: held events that are accepted by it.
    """

    verdict: Verdict
    codes: tuple[Finding, ...] = ()
    record: RecordVersion | None = None
    settled: tuple[InboxEntry, ...] = ()
    duplicate_of: InboxEntry | None = None


class Rule(NamedTuple):
    """How one event type is judged: `check` finds what is wrong with it as it stands (also of a flawed
    event, as far as its fields are sound), `decide` what comes of a sound one.
    """

    check: Callable[[Matter, EventData], None]
    decide: Callable[[Matter, EventData, InboxEntry | None], Outcome]
