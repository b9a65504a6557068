"""The catalogue as the judge asks it: the same pure look-ups, remembered, since every event asks them
again.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from schemas.record import measure
from services.broker.bases import supports, weigh_basis

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import date

    from schemas.catalogue.catalogue import Catalogue
    from schemas.catalogue.policy import Measure, Profile, Window
    from schemas.record import Body
    from services.broker.bases import Weighed, Weight

_REMEMBERED = 8_192  # (region, day) pairs, titles: some thousands over ten years of decisions in two cities
_PRICE = "PRICE"
_DIRECT = "DIRECT"


class Reach(NamedTuple):
    """Whom a listed record concerns, by region of its authority; channels with and without public sites."""

    regions: tuple[str, ...]
    channels: tuple[str, ...]
    agency_channels: tuple[str, ...]


class MeasureSet(NamedTuple):
    """A profile's supported measures on one day: those of every listing, and those of price, still to be
    judged.
    """

    always: tuple[Measure, ...]
    price: tuple[Measure, ...]
    areas: tuple[str, ...]
    """Areas of `always`, in catalogue order."""


class Policy:
    """One catalogue, for the life of the process; its profiles are remembered by object, not by content."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self.rules = catalogue.rules
        self.profile = lru_cache(_REMEMBERED)(catalogue.profile_for)
        self.regions = lru_cache(_REMEMBERED)(catalogue.region_lineage)
        self.region_abolished = lru_cache(_REMEMBERED)(catalogue.region_abolished)
        self.industry_2017 = lru_cache(_REMEMBERED)(self._find_industry)
        self.weigh = lru_cache(_REMEMBERED)(self._weigh)
        self._profiles = {id(profile): profile for profile in catalogue.profiles}
        self._measures = lru_cache(_REMEMBERED)(self._find_measures)
        self._entries = lru_cache(_REMEMBERED)(self._make_entries)
        self._reach = lru_cache(_REMEMBERED)(self._find_reach)
        self._window = lru_cache(_REMEMBERED)(self._find_window)
        self._supports = lru_cache(_REMEMBERED)(self._find_support)

    def measures(self, profile: Profile, on: date) -> MeasureSet:
        return self._measures(id(profile), on)

    def entries(self, profile: Profile, on: date, start: date, end: date | None) -> tuple[Body, ...]:
        """A body's entries for the measures that go with every listing; shared, so never to be changed."""
        return self._entries(id(profile), on, start, end)

    def reach(self, profile: Profile, region: str) -> Reach:
        return self._reach(id(profile), region)

    def window(
        self, profile: Profile, severity: str, dimensions: Collection[str], decided_on: date
    ) -> Window:
        return self._window(id(profile), severity, tuple(dimensions), decided_on)

    def supports(self, profile: Profile, weights: tuple[Weight, ...], record_class: str) -> bool:
        return self._supports(id(profile), weights, record_class)

    def _weigh(self, title: str, level: str | None, on: date) -> Weighed:
        return weigh_basis(self.catalogue, title, level, on)

    def _find_support(self, which: int, weights: tuple[Weight, ...], record_class: str) -> bool:
        return supports(self.catalogue, weights, record_class, self._profiles[which])

    def _find_industry(self, edition: str, code: str) -> str | None:
        """A GB/T 4754 code in the 2017 edition; None where it is not known to be the same (`RULINGS` P4)."""
        industries = self.catalogue.industries
        year = next((year for year in industries.editions if year in edition), None)
        if year == "2017":
            return code
        return industries.mapped_2011_to_2017.get(code, code) if year == "2011" else None

    def _find_measures(self, which: int, on: date) -> MeasureSet:
        found = self.catalogue.measures_of(self._profiles[which], on)
        supported = [measure for measure in found.measures if measure not in found.unsupported]
        always = tuple(m for m in supported if self.catalogue.areas[m.area].family != _PRICE)
        price = tuple(m for m in supported if self.catalogue.areas[m.area].family == _PRICE)
        return MeasureSet(always, price, tuple(dict.fromkeys(measure.area for measure in always)))

    def _make_entries(self, which: int, on: date, start: date, end: date | None) -> tuple[Body, ...]:
        return tuple(measure(m.area, m.code, start, end) for m in self._measures(which, on).always)

    def _find_reach(self, which: int, region: str) -> Reach:
        profile = self._profiles[which]
        direct = [route.channel for route in profile.routes if route.mode == _DIRECT]
        agencies = [code for code in direct if not self.catalogue.channel(profile, code).public]
        return Reach(self.regions(region), (*direct, *profile.copy_to), (*agencies, *profile.copy_to))

    def _find_window(
        self, which: int, severity: str, dimensions: tuple[str, ...], decided_on: date
    ) -> Window:
        return self.catalogue.window(self._profiles[which], severity, dimensions, decided_on)
