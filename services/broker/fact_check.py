"""What is checked of every fact and listing as it stands (`RULINGS` P1, P3, V2, L10, T5). Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from schemas.codes import Code
from services.broker.bases import only_drafts, weigh

if TYPE_CHECKING:
    from datetime import date

    from schemas.catalogue.policy import Profile
    from schemas.events import FactData
    from services.broker.bases import Weight
    from services.broker.matter import Matter

OVERDUE_REASON = "F01"


class Ground(NamedTuple):
    """The profile that applies and what the bases weigh."""

    profile: Profile
    weights: tuple[Weight, ...]


def check_ground(matter: Matter, data: FactData, on: date | None) -> Ground | None:
    """Profile of the authority's region on that day, its dimensions, and bases that are not all drafts.

    None where there is no profile, or where the fields that would tell are not sound.
    """
    _warn_of_disposal(matter, data)
    _warn_of_year(matter, data)
    if on is None or not matter.event.sound("data.authority.region"):
        return None
    profile = matter.bench.policy.profile(data.authority.region, on)
    if profile is None:
        matter.refuse(Code.E_NO_PROFILE, "data.authority.region", data.authority.region)
        return None
    if matter.bench.policy.region_abolished(data.authority.region, on):
        matter.warn(Code.W_REGION_ABOLISHED, "data.authority.region", data.authority.region)
    if matter.event.sound("data.dimensions"):
        for dimension in data.dimensions:
            if dimension not in profile.dimensions:
                matter.refuse(Code.E_DIMENSION_NOT_IN_PROFILE, "data.dimensions", dimension)
    if not matter.event.sound("data.bases"):
        return None
    weights = weigh(matter, data.bases, on)
    if only_drafts(weights):
        matter.refuse(Code.E_BASIS_DRAFT_ONLY, "data.bases")
    return Ground(profile, weights)


def check_due_date(matter: Matter, data: FactData) -> None:
    """An overdue fact says when it was due, or names the plan item that will (`RULINGS` T5)."""
    if not matter.event.sound("data.failure_reason", "data.obligation"):
        return
    obligation = data.obligation
    if data.failure_reason != OVERDUE_REASON or (obligation and (obligation.ordered_on or obligation.due_on)):
        return
    if obligation and obligation.plan_item:
        matter.hold(Code.E_NO_DUE_DATE, "data.obligation.due_on", "plan.published")
    else:
        matter.refuse(Code.E_NO_DUE_DATE, "data.obligation.due_on")


def _warn_of_disposal(matter: Matter, data: FactData) -> None:
    if not data.disposal or not matter.event.sound("data.disposal"):
        return
    for rule in matter.bench.policy.rules.disposal_rules:
        if rule.present in data.disposal and rule.unless not in data.disposal:
            missing = [code for code in rule.needs if code not in data.disposal]
            if missing:
                matter.warn(
                    Code.W_DISPOSAL_INCOMPLETE, "data.disposal", ",".join(data.disposal), ",".join(missing)
                )


def _warn_of_year(matter: Matter, data: FactData) -> None:
    obligation = data.obligation
    if obligation is None or obligation.stat_year is None or obligation.ordered_on is None:
        return
    expected = obligation.ordered_on.year - 1
    if obligation.stat_year != expected:
        matter.warn(Code.W_STAT_YEAR, "data.obligation.stat_year", obligation.stat_year, expected)
