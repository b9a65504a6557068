"""A wrong catalogue does not load, and every mistake is named by file and key, all at once."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from schemas.catalogue.load import CatalogueError, load_catalogue
from schemas.catalogue.terms import FOLDER

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(FOLDER, tmp_path / "catalogue")
    return tmp_path / "catalogue"


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")


def problems(folder: Path) -> list[str]:
    with pytest.raises(CatalogueError) as caught:
        load_catalogue(folder)
    assert str(caught.value) == "\n".join(caught.value.problems)
    return caught.value.problems


@pytest.mark.parametrize(
    ("file", "old", "new", "expected"),
    [
        ("profiles/150300.toml", "[dimensions.ENERGY]", "[dimensions.NOISE]", "dimensions.NOISE"),
        (
            "profiles/150300.toml",
            "limit_months = 6",
            'limit_months = "six"',
            "dimensions.ENERGY.limit_months",
        ),
        ("profiles/150300.toml", "limit_months = 6", "", "give limit_months or limit, and not both"),
        ("profiles/150300.toml", 'limit = "plan_date"', 'limit = "plan"', "dimensions.TECH.limit"),
        ("profiles/150300.toml", 'severity = "SERIOUS"', 'severity = "GRAVE"', "severity"),
        ("profiles/150300.toml", 'name = "乌海市"', 'title = "乌海市"', "title"),
        ("profiles/150300.toml", '"SA09"]', '"SA99"]', "areas: SA99 is not a sanction area"),
        ("profiles/150300.toml", '"SA09"]', '"SA01"]', "areas: SA01 stands 2 times"),
        ("profiles/150300.toml", '"CP03"]', '"CP10"]', "credit_measures: CP10 is not a restricting"),
        (
            "profiles/150300.toml",
            'channel = "NCISP"',
            'channel = "NICSP"',
            "routes: NICSP is not in channels",
        ),
        ("profiles/150300.toml", 'code = "WH_MIIT"', 'code = "NCISP"', "channels: NCISP is a channel of"),
        ("profiles/150300.toml", 'id = "NMG_2020_26"', 'id = "2010/7"', "bases: 2010/7 is a basis of"),
        (
            "profiles/150300.toml",
            'region = "150300"',
            'region = "150309"',
            "covers: the region 150309 itself",
        ),
        (
            "profiles/150300.toml",
            'code = "150304"',
            'code = "320404"',
            "320404 is covered by profiles/150300",
        ),
        ("profiles/150300.toml", "valid_from = 2021-06-09", 'valid_from = "soon"', "valid_from"),
        (
            "profiles/150300.toml",
            "horizon",
            "valid_to = 2020-01-01\nhorizon",
            "valid_to is before valid_from",
        ),
        ("profiles/320400.toml", '"红色", "黑色"', '"红色", "紫色"', "price.env_colours[1]"),
        ("profiles/320400.toml", "= [", "= ", "at line 7"),
        ("measures.toml", 'area = "SA01"', 'area = "SA77"', "measures.M0101.area: SA77 is not in areas.toml"),
        ("measures.toml", 'id = "2010/7"', 'id = "2010/8"', "measures.M0101.basis: 2010/8 is not in bases"),
        ("measures.toml", 'category = "A"\n', "", "measures.M0101.category"),
        ("measures.toml", 'predicate = "capacity"\n', "", "measures.PP01.predicate"),
        ("measures.toml", 'code = "M0102"', 'code = "M0101"', "M0101 stands 2 times"),
        ("measures.toml", '"NATURAL_RES"', '"MAGIC"', "measures[0].agency_type"),
        (
            "windows.toml",
            "2023-04-30",
            "2023-04-29",
            "rule_versions.ORDER_58.decided_from: not the day after",
        ),
        ("windows.toml", "decided_to = 2023-04-30", "decided_from = 2001-01-01", "the first must have no"),
        ("windows.toml", "min_months = 3", "min_months = 13", "max_months is less than min_months"),
        ("windows.toml", 'reads_as = { MINOR = "GENERAL" }', "", "no window for MINOR"),
        (
            "rules.toml",
            "DUPLICATE = { working_days = 1",
            "REPAIRED2 = { working_days = 1",
            "clocks.REPAIRED2",
        ),
        (
            "rules.toml",
            "DUPLICATE = { working_days = 1",
            "# D = { working_days = 1",
            "clocks.DUPLICATE: missing",
        ),
        ("rules.toml", "OTHER_DISHONESTY =", "# OTHER =", "record_class_bases.OTHER_DISHONESTY: missing"),
    ],
)
def test_each_mistake_is_named_by_file_and_key(
    folder: Path, file: str, old: str, new: str, expected: str
) -> None:
    change(folder / file, old, new)
    found = problems(folder)
    assert any(expected in problem for problem in found), found
    assert all(problem.split(":")[0].endswith(".toml") for problem in found)


def test_all_mistakes_are_reported_at_once(folder: Path) -> None:
    change(folder / "profiles/150300.toml", "limit_months = 6", "limit_months = 0")
    change(folder / "profiles/320400.toml", 'severity = "SERIOUS"', 'severity = "GRAVE"')
    change(folder / "areas.toml", 'zh = "土地供应"', "")
    found = problems(folder)
    assert len(found) == 3
    assert any(problem.startswith("profiles/320400.toml: severity:") for problem in found)
    assert any("(here: 'GRAVE')" in problem for problem in found)


def test_a_missing_file_is_named(folder: Path) -> None:
    folder.joinpath("rules.toml").unlink()
    (problem,) = problems(folder)
    assert problem.startswith("rules.toml: ")


def test_two_editions_of_one_city_may_follow_each_other_but_not_overlap(folder: Path) -> None:
    old, new = folder / "profiles/150300.toml", folder / "profiles/150300-2026.toml"
    shutil.copy(old, new)
    change(new, "valid_from = 2021-06-09", "valid_from = 2026-01-01")
    assert "150304 is covered by" in " ".join(problems(folder))
    change(old, "horizon = 2025", "valid_to = 2025-12-31\nhorizon = 2025")
    assert len(load_catalogue(folder).profiles) == 3
