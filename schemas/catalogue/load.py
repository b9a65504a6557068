"""Load the catalogue: read every file, validate it, check every reference, and report all problems at once.

A further city is a further file in `profiles/`.
"""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, TypeVar

from pydantic import BaseModel, ValidationError

from schemas.catalogue.catalogue import Catalogue
from schemas.catalogue.checks import catalogue_problems, overlap_problems, profile_problems, twice
from schemas.catalogue.policy import (
    Area,
    Channel,
    Entry,
    IndustryMap,
    LegalBasis,
    Measure,
    Profile,
    Rules,
    RuleVersion,
)
from schemas.catalogue.terms import FOLDER

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic_core import ErrorDetails

_File = TypeVar("_File", bound=BaseModel)


class CatalogueError(ValueError):
    """The catalogue cannot be used. `problems`: one line each, `file: key: what is wrong`."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class _Areas(Entry):
    areas: tuple[Area, ...]


class _Measures(Entry):
    measures: tuple[Measure, ...]


class _Bases(Entry):
    bases: tuple[LegalBasis, ...]


class _Channels(Entry):
    channels: tuple[Channel, ...]


class _Windows(Entry):
    rule_versions: tuple[RuleVersion, ...]


def load_catalogue(folder: Path = FOLDER, *, extra_profiles: Path | None = None) -> Catalogue:
    """Load the catalogue in `folder`, and the profiles of a second folder too. Raises `CatalogueError`."""
    problems: list[str] = []
    areas = _read(folder / "areas.toml", _Areas, problems)
    measures = _read(folder / "measures.toml", _Measures, problems)
    bases = _read(folder / "bases.toml", _Bases, problems)
    channels = _read(folder / "channels.toml", _Channels, problems)
    windows = _read(folder / "windows.toml", _Windows, problems)
    rules = _read(folder / "rules.toml", Rules, problems)
    industries = _read(folder / "industries.toml", IndustryMap, problems)
    paths = sorted((folder / "profiles").glob("*.toml"))
    paths += sorted(extra_profiles.glob("*.toml")) if extra_profiles else []
    profiles = {path: profile for path in paths if (profile := _read(path, Profile, problems))}
    if problems or not (areas and measures and bases and channels and windows and rules and industries):
        raise CatalogueError(problems)

    catalogue = Catalogue(
        areas={area.code: area for area in areas.areas},
        measures={measure.code: measure for measure in measures.measures},
        bases={basis.id: basis for basis in bases.bases},
        channels={channel.code: channel for channel in channels.channels},
        profiles=tuple(sorted(profiles.values(), key=lambda profile: (profile.region, profile.valid_from))),
        rule_versions=windows.rule_versions,
        rules=rules,
        industries=industries,
    )
    problems += twice("areas.toml: areas", (area.code for area in areas.areas))
    problems += twice("measures.toml: measures", (measure.code for measure in measures.measures))
    problems += twice("bases.toml: bases", (basis.id for basis in bases.bases))
    problems += twice("channels.toml: channels", (channel.code for channel in channels.channels))
    problems += catalogue_problems(catalogue)
    for path, profile in profiles.items():
        problems += (f"{_name(path)}: {problem}" for problem in profile_problems(catalogue, profile))
    problems += overlap_problems({_name(path): profile for path, profile in profiles.items()})
    if problems:
        raise CatalogueError(problems)
    return catalogue


def _read(path: Path, shape: type[_File], problems: list[str]) -> _File | None:
    try:
        return shape.model_validate(tomllib.loads(path.read_text("utf-8")))
    except ValidationError as error:
        problems += (
            f"{_name(path)}: {_key(details['loc'])}: {details['msg']}{_given(details)}"
            for details in error.errors(include_url=False)
        )
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        problems.append(f"{_name(path)}: {error}")
    return None


def _name(path: Path) -> str:
    """`profiles/150300.toml`, or the bare name of a file beside."""
    return f"{path.parent.name}/{path.name}" if path.parent.name == "profiles" else path.name


def _key(location: tuple[str | int, ...]) -> str:
    key = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in location)
    return key.removeprefix(".") or "the file"


def _given(details: ErrorDetails) -> str:
    given = details["input"]
    return f" (here: {given!r})" if isinstance(given, str | int | float | bool) else ""
