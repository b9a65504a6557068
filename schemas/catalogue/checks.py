"""What no single file shows: references between files, codes given twice, profiles that would both apply."""

from __future__ import annotations

from collections import Counter
from itertools import combinations, pairwise
from typing import TYPE_CHECKING

from schemas.catalogue.terms import terms

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from schemas.catalogue.catalogue import Catalogue
    from schemas.catalogue.policy import Dated, Profile


def twice(where: str, codes: Iterable[str]) -> Iterator[str]:
    """Codes that stand more than once in one list."""
    for code, times in Counter(codes).items():
        if times > 1:
            yield f"{where}: {code} stands {times} times"


def catalogue_problems(catalogue: Catalogue) -> Iterator[str]:
    """Problems in the files that all profiles share."""
    for code, measure in catalogue.measures.items():
        where = f"measures.toml: measures.{code}"
        if measure.area not in catalogue.areas:
            yield f"{where}.area: {measure.area} is not in areas.toml"
            continue
        family = catalogue.areas[measure.area].family
        if (family == "PRICE") != (measure.predicate is not None):
            yield f"{where}.predicate: a measure has one exactly when its area is of the family PRICE"
        if (family == "PRICE") != (measure.category is None):
            yield f"{where}.category: A, B or C, and none in the family PRICE"
        for reference in measure.basis:
            if reference.id not in catalogue.bases:
                yield f"{where}.basis: {reference.id} is not in bases.toml"
    for missing in terms("causes").keys() - catalogue.rules.clocks.keys():
        yield f"rules.toml: clocks.{missing}: missing"
    for missing in terms("record_classes").keys() - catalogue.rules.record_class_bases.keys():
        yield f"rules.toml: record_class_bases.{missing}: missing"
    yield from _window_problems(catalogue)


def profile_problems(catalogue: Catalogue, profile: Profile) -> Iterator[str]:
    """Problems of one profile against the catalogue."""
    yield from _measure_problems(catalogue, profile)
    yield from _channel_problems(catalogue, profile)
    for basis in profile.bases:
        if basis.id in catalogue.bases:
            yield f"bases: {basis.id} is a basis of bases.toml"
    if profile.region not in {region.code for region in profile.covers}:
        yield f"covers: the region {profile.region} itself is missing"
    yield from twice("bases", (basis.id for basis in profile.bases))
    yield from twice("covers", (region.code for region in profile.covers))


def _measure_problems(catalogue: Catalogue, profile: Profile) -> Iterator[str]:
    for area in profile.areas:
        if area not in catalogue.areas or catalogue.areas[area].family != "AREA":
            yield f"areas: {area} is not a sanction area in areas.toml"
    for code in profile.credit_measures:
        measure = catalogue.measures.get(code)
        family = catalogue.areas[measure.area].family if measure and measure.area in catalogue.areas else None
        if measure is None or family != "CREDIT" or measure.positive:
            yield f"credit_measures: {code} is not a restricting credit measure in measures.toml"
    yield from twice("areas", profile.areas)


def _channel_problems(catalogue: Catalogue, profile: Profile) -> Iterator[str]:
    own = {channel.code for channel in profile.channels}
    for route in profile.routes:
        if route.channel not in own and route.channel not in catalogue.channels:
            yield f"routes: {route.channel} is not in channels.toml, nor among the profile's channels"
    for code in sorted(own & catalogue.channels.keys()):
        yield f"channels: {code} is a channel of channels.toml"
    yield from twice("routes", (route.channel for route in profile.routes))
    yield from twice("channels", (channel.code for channel in profile.channels))


def overlap_problems(profiles: Mapping[str, Profile]) -> Iterator[str]:
    """Regions for which two profiles (by file name) would apply on one day."""
    for (file, one), (other_file, other) in combinations(profiles.items(), 2):
        shared = {row.code for row in one.covers} & {row.code for row in other.covers}
        if shared and _overlap(one, other):
            yield f"{other_file}: covers: {', '.join(sorted(shared))} is covered by {file} at the same time"


def _overlap(one: Dated, other: Dated) -> bool:
    starts = max(day for day in (one.valid_from, other.valid_from) if day)
    return one.valid_on(starts) and other.valid_on(starts)


def _window_problems(catalogue: Catalogue) -> Iterator[str]:
    """Every day must have exactly one rule version."""
    versions = catalogue.rule_versions
    if not versions or versions[0].decided_from is not None or versions[-1].decided_to is not None:
        yield "windows.toml: rule_versions: the first must have no decided_from, and the last no decided_to"
        return
    for earlier, later in pairwise(versions):
        ends, starts = earlier.decided_to, later.decided_from
        if ends is None or starts is None or (starts - ends).days != 1:
            yield f"windows.toml: rule_versions.{later.id}.decided_from: not the day after {earlier.id} ends"
