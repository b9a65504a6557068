"""The guards of a listing decision: class and basis, procedure, dates (`RULINGS` L2, L5, L6, L7). Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from schemas.codes import Code
from services.broker.bases import only_drafts
from services.broker.fact_check import check_ground
from services.broker.periods import add_months, is_provisional, working_day_after

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from schemas.catalogue.policy import Profile
    from schemas.events import FactData
    from schemas.events.parts import Decision, Notice
    from services.broker.fact_check import Ground
    from services.broker.matter import Matter

_AT = "data.decision"
_SEVERITIES = ("MINOR", "GENERAL", "SERIOUS")
_CLASSES = ("OTHER_DISHONESTY", "ADMIN_PENALTY", "SERIOUS_LIST")


class Listing(NamedTuple):
    """What a sound listing decision amounts to. `listed_on` None: not yet served."""

    profile: Profile
    record_class: str
    severity: str
    listed_on: date | None
    publicity_until: date | None


def check_listing(matter: Matter, data: FactData, decision: Decision) -> Listing | None:
    """All guards; None where too little is sound to say what the listing would be."""
    sound = matter.event.sound
    on = decision.decided_on if sound(_AT + ".decided_on") else None
    ground = check_ground(matter, data, on)
    _check_order(matter, decision)
    if ground is None or on is None:
        return None
    if sound(_AT + ".notice"):
        _check_procedure(matter, ground.profile, decision, on)
    record_class = _record_class(matter, data, ground)
    severity = _lowered(matter, "severity", data.severity, ground.profile.severity, _SEVERITIES)
    if record_class is None or not sound("data.dimensions", _AT):
        return None
    listed_on = decision.listed_on or decision.served_on
    until = None
    if listed_on is not None:
        window = matter.bench.policy.window(ground.profile, severity, data.dimensions, on)
        longest = add_months(listed_on, window.max_months)
        until = decision.publicity_until or longest
        if not add_months(listed_on, window.min_months) <= until <= longest:
            matter.refuse(
                Code.E_DATES_ORDER,
                _AT + ".publicity_until",
                until.isoformat(),
                f"at most {longest.isoformat()}",
            )
    return Listing(ground.profile, record_class, severity, listed_on, until)


def _check_order(matter: Matter, decision: Decision) -> None:
    """Notice, decision, service, listing: in this order, each on or after the one before."""
    notice = decision.notice if matter.event.sound(_AT + ".notice") else None
    _not_before(matter, decision, "decided_on", notice.served_on if notice else None)
    _not_before(matter, decision, "served_on", decision.decided_on)
    _not_before(matter, decision, "listed_on", decision.served_on)


def _not_before(matter: Matter, decision: Decision, name: str, earliest: date | None) -> None:
    day: date | None = getattr(decision, name)
    if day is not None and earliest is not None and day < earliest:
        matter.refuse(
            Code.E_DATES_ORDER, f"{_AT}.{name}", day.isoformat(), f"not before {earliest.isoformat()}"
        )


def _check_procedure(matter: Matter, profile: Profile, decision: Decision, decided_on: date) -> None:
    """Notice given, and the defence waived or its time over before the decision (行政处罚法 art. 62)."""
    notice = decision.notice
    if notice is None:
        matter.hold(Code.E_NO_NOTICE, _AT + ".notice", "listing.notified")
    elif notice.defence != "WAIVED" and (
        notice.defence == "OPEN" or not _window_over(matter, profile, notice, decided_on)
    ):
        matter.hold(
            Code.E_DEFENCE_OPEN, _AT + ".notice.defence", "listing.statement.reviewed", notice.defence
        )


def _window_over(matter: Matter, profile: Profile, notice: Notice, decided_on: date) -> bool:
    if notice.defence_until is not None:
        return decided_on > notice.defence_until
    deadline = working_day_after(notice.served_on, profile.defence_days)
    if is_provisional(notice.served_on, deadline, decided_on):
        matter.warn(
            Code.W_CALENDAR_PROVISIONAL, _AT + ".decided_on", decided_on.isoformat(), deadline.isoformat()
        )
    return decided_on > deadline


def _record_class(matter: Matter, data: FactData, ground: Ground) -> str | None:
    """The class that the bases carry; a lower one only where the profile names it. None: insufficient."""
    wanted = _lowered(matter, "record_class", data.record_class, ground.profile.record_class, _CLASSES)
    for record_class in (wanted, ground.profile.fallback_class):
        if record_class is not None and matter.bench.policy.supports(
            ground.profile, ground.weights, record_class
        ):
            return record_class
    if not only_drafts(ground.weights):
        matter.refuse(Code.E_BASIS_INSUFFICIENT, "data.bases", expected=wanted)
    return None


def _lowered(matter: Matter, name: str, stated: str | None, usual: str, order: Sequence[str]) -> str:
    """An event may lower what the profile says, never raise it."""
    if stated is None or stated == usual or not matter.event.sound(f"data.{name}"):
        return usual
    if order.index(stated) > order.index(usual):
        matter.warn(Code.W_SEVERITY_RAISED, f"data.{name}", stated, usual)
        return usual
    return stated
