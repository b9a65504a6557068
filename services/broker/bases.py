"""Whom to believe about a legal basis, and whether the bases carry what is done (`RULINGS` V2, L7, L8).
Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from schemas.codes import Code

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from schemas.catalogue.catalogue import Catalogue
    from schemas.catalogue.policy import Profile
    from schemas.events.parts import Basis
    from services.broker.matter import Matter

_DRAFT = "DRAFT"


class Weight(NamedTuple):
    """What one cited basis weighs. `region`: where a local one holds; None: everywhere."""

    level: str
    in_force: bool
    region: str | None


class Weighed(NamedTuple):
    """A weight, and the warning that the catalogue knows the basis otherwise or not at all."""

    weight: Weight
    warning: Code | None = None


def weigh(matter: Matter, bases: Sequence[Basis], on: date) -> tuple[Weight, ...]:
    """Weigh each basis as of `on`, warning where the catalogue knows better than the event."""
    weights = []
    for at, basis in enumerate(bases):
        weight, warning = matter.bench.policy.weigh(basis.basis, basis.level, on)
        weights.append(weight)
        if warning is Code.W_BASIS_LEVEL:
            matter.warn(warning, f"data.bases[{at}].level", basis.level, weight.level)
        elif warning is not None:
            matter.warn(warning, f"data.bases[{at}].basis", basis.basis)
    return tuple(weights)


def weigh_basis(catalogue: Catalogue, title: str, level: str | None, on: date) -> Weighed:
    """One basis by its title, and the level that the event states for it."""
    rules = catalogue.rules
    known = catalogue.find_basis(title)
    if known is None:
        drafted = level == _DRAFT or any(word in title for word in rules.draft_titles)
        weight = Weight(_DRAFT if drafted else rules.unknown_basis_at_most, not drafted, None)
        return Weighed(weight, Code.W_BASIS_UNKNOWN)
    weight = Weight(_DRAFT if known.status == _DRAFT else known.level, known.in_force(on), known.region)
    return Weighed(weight, Code.W_BASIS_LEVEL if level not in (None, weight.level) else None)


def only_drafts(weights: Sequence[Weight]) -> bool:
    return all(weight.level == _DRAFT for weight in weights)


def supports(catalogue: Catalogue, weights: Sequence[Weight], record_class: str, profile: Profile) -> bool:
    """Whether an in-force basis of sufficient level carries this class of record; local ones in their own
    region.
    """
    rule = catalogue.rules.record_class_bases[record_class]
    regions = catalogue.region_lineage(profile.region)
    return any(
        weight.in_force
        and (weight.level in rule.levels or (weight.level in rule.local and weight.region in regions))
        for weight in weights
    )
