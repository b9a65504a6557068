"""Which measures a listing carries, from when and until when (`RULINGS` M1–M3). Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from schemas.record import measure

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from schemas.catalogue.policy import Measure, Price, Profile
    from schemas.record import Body
    from services.broker.policy import Policy


class Equipment(NamedTuple):
    """What price policy looks at: catalogue classes, GB/T 4754-2017 class, environmental grade and its
    year.
    """

    classes: frozenset[str]
    industry: str | None
    grade: tuple[str, int] | None


_NOTHING_PRICED = Equipment(frozenset(), None, None)


class Carried(NamedTuple):
    measures: list[Body]
    areas: tuple[str, ...]


def carried(
    policy: Policy,
    profile: Profile,
    *,
    dimensions: Sequence[str],
    equipment: Equipment,
    decided_on: date,
    listed_on: date,
    until: date | None,
) -> Carried:
    """All measures of one listing. Price measures have no end until something ends them."""
    found = policy.measures(profile, decided_on)
    measures = list(policy.entries(profile, decided_on, listed_on, until))
    areas = found.areas
    if equipment == _NOTHING_PRICED:
        return Carried(measures, areas)
    priced = [m for m in found.price if _is_priced(m, profile.price, dimensions, equipment, decided_on)]
    if priced:
        measures += [measure(m.area, m.code, listed_on, None) for m in priced]
        areas += tuple(dict.fromkeys(m.area for m in priced))
    return Carried(measures, areas)


def _is_priced(
    measure: Measure, price: Price, dimensions: Sequence[str], equipment: Equipment, decided_on: date
) -> bool:
    if measure.predicate == "environment":
        grade = equipment.grade
        return grade is not None and grade[0] in price.env_colours and 0 <= decided_on.year - grade[1] <= 1
    if not equipment.classes.isdisjoint(price.classes):
        return True
    return equipment.industry in price.industries and any(
        d in measure.industry_dimensions for d in dimensions
    )
