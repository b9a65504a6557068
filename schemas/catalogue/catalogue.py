"""The loaded catalogue: all policy, checked, with pure look-ups. Nothing branches on a region or an area."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from schemas.catalogue.policy import Window
from schemas.documents import normalise_document_number

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import date

    from schemas.catalogue.policy import (
        Area,
        BasisRule,
        Channel,
        IndustryMap,
        LegalBasis,
        Measure,
        Profile,
        Rules,
        RuleVersion,
    )

_STATE = "中华人民共和国"  # left out wherever a law is cited
_DAYS_KEPT = 4096  # a dozen years of days, recomputed when exceeded


class MeasuresOnDay(NamedTuple):
    """What a profile has on one day. `unsupported`: those whose own catalogue basis is not enough for their
    category, so that no listing may carry them (`E_NOT_IN_CATALOGUE`, `RULINGS` M1).
    """

    measures: tuple[Measure, ...]
    unsupported: tuple[Measure, ...]


@dataclass(frozen=True, slots=True)
class Catalogue:
    """As `load_catalogue` made it. Codes of its tables are `schemas.catalogue.terms`."""

    areas: Mapping[str, Area]
    measures: Mapping[str, Measure]
    bases: Mapping[str, LegalBasis]
    channels: Mapping[str, Channel]
    profiles: tuple[Profile, ...]
    rule_versions: tuple[RuleVersion, ...]
    rules: Rules
    industries: IndustryMap
    _covering: dict[str, list[Profile]] = field(default_factory=dict, repr=False)
    _lineages: dict[str, tuple[str, ...]] = field(default_factory=dict, repr=False)
    _cited: dict[str, LegalBasis] = field(default_factory=dict, repr=False)
    _days: dict[tuple[str, date, date], MeasuresOnDay] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        parents = {}
        for profile in self.profiles:
            for region in profile.covers:
                self._covering.setdefault(region.code, []).append(profile)
                parents[region.code] = region.parent
        for code in parents:
            lineage: list[str] = []
            above: str | None = code
            while above is not None and above not in lineage:
                lineage.append(above)
                above = parents.get(above)
            self._lineages[code] = tuple(lineage)
        # National bases come first: a city's own cannot take the name of a law.
        for basis in (*self.bases.values(), *(own for profile in self.profiles for own in profile.bases)):
            for name in filter(None, (basis.doc_no, basis.title, *basis.aliases)):
                self._cited.setdefault(_citation(name), basis)

    def profile_for(self, region: str, on: date) -> Profile | None:
        """The profile that covers this GB/T 2260 region, an abolished one too; None: `E_NO_PROFILE`."""
        for profile in self._covering.get(region, ()):
            if profile.valid_on(on):
                return profile
        return None

    def region_lineage(self, region: str) -> tuple[str, ...]:
        """The region and those above it, nearest first: 150303 → (150303, 150300, 150000)."""
        return self._lineages.get(region, (region,))

    def region_abolished(self, region: str, on: date) -> bool:
        """Whether a profile knows that the region was no longer on that day (`W_REGION_ABOLISHED`)."""
        rows = [row for p in self._covering.get(region, ()) for row in p.covers if row.code == region]
        return bool(rows) and all(row.valid_to is not None and row.valid_to < on for row in rows)

    def measures_of(self, profile: Profile, on: date) -> MeasuresOnDay:
        """The measures of the profile on that day, in catalogue order: all of its areas, those of price
        (whose predicates are still to be judged) and of credit.
        """
        key = (profile.region, profile.valid_from, on)
        if (known := self._days.get(key)) is not None:
            return known
        measures = tuple(m for m in self.measures.values() if self._has(profile, m) and m.valid_on(on))
        unsupported = tuple(m for m in measures if not self._supported(m, profile, on))
        if len(self._days) >= _DAYS_KEPT:
            self._days.clear()
        self._days[key] = found = MeasuresOnDay(measures, unsupported)
        return found

    def bears(self, rule: BasisRule, basis: LegalBasis, profile: Profile) -> bool:
        """Whether a basis is of a level that the rule asks for; local ones only in their own region."""
        if basis.level in rule.levels:
            return True
        return basis.level in rule.local and basis.region in self.region_lineage(profile.region)

    def find_basis(self, cited: str) -> LegalBasis | None:
        """The basis that a document cites by title, number or usual short name."""
        return self._cited.get(_citation(cited))

    def channel(self, profile: Profile, code: str) -> Channel:
        """A channel of the profile's own, else of the catalogue. Raises `KeyError`."""
        return next((own for own in profile.channels if own.code == code), None) or self.channels[code]

    def window(
        self, profile: Profile, severity: str, dimensions: Collection[str], decided_on: date
    ) -> Window:
        """The publicity window for a decision of that day (`RULINGS` L6), or the profile's own."""
        if own := profile.windows.get(severity):
            return own
        rule = next(
            rule
            for rule in self.rule_versions
            if (rule.decided_from is None or rule.decided_from <= decided_on)
            and (rule.decided_to is None or decided_on <= rule.decided_to)
        )
        window = rule.window(severity)
        raised = max(
            (least for code, least in rule.minimum_by_dimension.items() if code in dimensions), default=0
        )
        if raised <= window.min_months:
            return window
        return Window(min_months=raised, max_months=max(raised, window.max_months))

    def clock_days(self, profile: Profile, cause: str) -> int:
        """Working days for a retraction with this cause."""
        return profile.clocks.get(cause, self.rules.clocks[cause].working_days)

    def publish_by_days(self, dimensions: Collection[str]) -> int:
        """Working days after the decision (`RULINGS` L9)."""
        rule = self.rules.publish_by
        return min([rule.default, *(days for code, days in rule.by_dimension.items() if code in dimensions)])

    def _has(self, profile: Profile, measure: Measure) -> bool:
        if measure.positive:
            return False
        if measure.region is not None and measure.region not in self.region_lineage(profile.region):
            return False
        if measure.predicate == "capacity":
            return bool(profile.price.classes or profile.price.industries)
        if measure.predicate == "environment":
            return bool(profile.price.env_colours)
        return measure.area in profile.areas or measure.code in profile.credit_measures

    def _supported(self, measure: Measure, profile: Profile, on: date) -> bool:
        rule = self.rules.category_bases.get(measure.category or "")
        cited = (self.bases[reference.id] for reference in measure.basis)
        return rule is None or any(basis.in_force(on) and self.bears(rule, basis, profile) for basis in cited)


@lru_cache(maxsize=1024)
def _citation(text: str) -> str:
    """How a basis is looked up: as a document number, without 《》 and 中华人民共和国."""
    return normalise_document_number(text).strip("《》").removeprefix(_STATE)
