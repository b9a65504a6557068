"""The catalogue as shipped, against RULINGS and the seeds; a third city by one file."""

from __future__ import annotations

import shutil
from datetime import date
from typing import TYPE_CHECKING

import pytest

from schemas.catalogue.load import load_catalogue
from schemas.catalogue.terms import FOLDER, tables, terms

if TYPE_CHECKING:
    from pathlib import Path

    from schemas.catalogue.catalogue import Catalogue
    from schemas.catalogue.policy import Profile

NINE = [f"SA0{n}" for n in range(1, 10)]
WUHAI_DAY, CHANGZHOU_DAY = date(2022, 7, 15), date(2018, 1, 19)


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load_catalogue()


@pytest.fixture(scope="module")
def wuhai(catalogue: Catalogue) -> Profile:
    found = catalogue.profile_for("150300", WUHAI_DAY)
    assert found is not None
    return found


@pytest.fixture(scope="module")
def changzhou(catalogue: Catalogue) -> Profile:
    found = catalogue.profile_for("320400", CHANGZHOU_DAY)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("region", "on", "name"),
    [
        ("150300", date(2021, 6, 9), "乌海市"),
        ("150303", date(2035, 1, 1), "乌海市"),
        ("150300", date(2021, 6, 8), None),
        ("320400", date(2017, 10, 16), "常州市"),
        ("320400", date(2017, 10, 15), None),
        ("320481", date(2024, 1, 1), "常州市"),
        ("320405", date(2024, 1, 1), "常州市"),
        ("150000", date(2024, 1, 1), None),
        ("110000", date(2024, 1, 1), None),
    ],
)
def test_a_profile_is_chosen_by_region_and_day(
    catalogue: Catalogue, region: str, on: date, name: str | None
) -> None:
    profile = catalogue.profile_for(region, on)
    assert (profile.name if profile else None) == name


def test_lineage_goes_up_to_the_province(catalogue: Catalogue) -> None:
    assert catalogue.region_lineage("150303") == ("150303", "150300", "150000")
    assert catalogue.region_lineage("320400") == ("320400", "320000")
    assert catalogue.region_lineage("110000") == ("110000",)


def test_an_abolished_region_is_known_as_such(catalogue: Catalogue) -> None:
    assert catalogue.region_abolished("320405", CHANGZHOU_DAY)
    assert not catalogue.region_abolished("320405", date(2010, 1, 1))
    assert not catalogue.region_abolished("320413", CHANGZHOU_DAY)
    assert not catalogue.region_abolished("999999", CHANGZHOU_DAY)


def limits(profile: Profile) -> dict[str, tuple[object, object]]:
    return {
        code: (limit.limit_months or limit.limit, limit.extension_months_max)
        for code, limit in profile.dimensions.items()
    }


def test_dimensions_and_limits(wuhai: Profile, changzhou: Profile) -> None:
    common = {
        "ENERGY": (6, 3),
        "QUALITY": (6, None),
        "ENV": ("immediate", None),
        "SAFETY": ("immediate", None),
        "INDUSTRIAL_POLICY": ("immediate", None),
        "TECH": ("plan_date", None),
    }
    assert limits(changzhou) == common
    assert limits(wuhai) == common | {"FACTOR": ("plan_date", None)}
    assert terms("dimensions").keys() == wuhai.dimensions.keys()


def test_routes_copies_and_what_is_public(catalogue: Catalogue, wuhai: Profile, changzhou: Profile) -> None:
    def routes(profile: Profile) -> dict[str, tuple[str, bool]]:
        return {
            route.channel: (route.mode, catalogue.channel(profile, route.channel).public)
            for route in profile.routes
        }

    assert routes(wuhai) == {"CREDIT_CHINA": ("DIRECT", True), "NCISP": ("DIRECT", False)}
    assert routes(changzhou) == {
        "CREDIT_CHANGZHOU": ("DIRECT", True),
        "JS_PCIS": ("DIRECT", False),
        "CZ_PCIS": ("DIRECT", False),
    }
    assert (wuhai.copy_to, changzhou.copy_to) == (("WH_COORD",), ("CZ_HUAJIE",))
    for profile in (wuhai, changzhou):
        assert (profile.record_class, profile.severity, profile.valid_to) == ("SERIOUS_LIST", "SERIOUS", None)
        assert profile.fallback_class is None
    assert (wuhai.horizon, changzhou.horizon) == (2025, None)


def test_measures_are_those_of_the_areas_and_of_the_profiles_price_and_credit(
    catalogue: Catalogue, wuhai: Profile, changzhou: Profile
) -> None:
    def codes(profile: Profile, on: date) -> list[str]:
        return [measure.code for measure in catalogue.measures_of(profile, on).measures]

    in_areas = [measure.code for measure in catalogue.measures.values() if measure.area in NINE]
    assert len(in_areas) == 17
    assert codes(wuhai, WUHAI_DAY) == [*in_areas, "PP01", "PP02", "PP03", "PP04", "CP01", "CP02", "CP03"]
    assert codes(changzhou, CHANGZHOU_DAY) == [*in_areas, "PP01", "PP02", "PP03", "PP04", "PP05"]
    assert catalogue.measures_of(wuhai, WUHAI_DAY).unsupported == ()
    assert catalogue.measures_of(changzhou, CHANGZHOU_DAY).unsupported == ()
    assert (wuhai.price.classes, wuhai.price.env_colours) == (("限制类",), ())
    assert (changzhou.price.classes, changzhou.price.env_colours) == (("淘汰类",), ("红色", "黑色"))
    assert wuhai.price.industries == changzhou.price.industries == ("3110", "3120", "3130", "3011")


def test_force_and_category_of_every_area(catalogue: Catalogue) -> None:
    force = {area: {m.force for m in catalogue.measures.values() if m.area == area} for area in NINE}
    advisory = {area for area, found in force.items() if found == {"ADVISORY"}}
    assert advisory == {"SA03", "SA06", "SA07", "SA08"}
    assert all(found == {"MANDATORY"} for area, found in force.items() if area not in advisory)
    credit = [m for m in catalogue.measures.values() if m.area == "CREDIT"]
    assert {m.force for m in credit} == {"ADVISORY"}
    assert [m.code for m in credit if m.positive] == ["CP10"]


def test_a_category_a_measure_on_a_policy_document_alone_is_unsupported(
    catalogue: Catalogue, wuhai: Profile
) -> None:
    wider = wuhai.model_copy(update={"areas": (*NINE, "SA10"), "valid_from": date(2000, 1, 1)})
    found = catalogue.measures_of(wider, WUHAI_DAY)
    assert [measure.code for measure in found.unsupported] == ["M1001"]
    early = catalogue.measures_of(wider, date(2001, 1, 1)).unsupported
    assert {"M0801", "M0901", "M0501"} <= {measure.code for measure in early}


@pytest.mark.parametrize(
    ("severity", "decided_on", "dimensions", "window"),
    [
        ("SERIOUS", date(2018, 1, 19), ["TECH"], (6, 36)),
        ("GENERAL", date(2023, 4, 30), ["SAFETY"], (3, 12)),
        ("MINOR", date(2023, 4, 30), ["ENERGY"], (3, 12)),
        ("GENERAL", date(2023, 5, 1), ["ENERGY"], (3, 36)),
        ("GENERAL", date(2023, 5, 1), ["ENERGY", "SAFETY"], (12, 36)),
        ("MINOR", date(2026, 3, 31), ["ENERGY"], (3, 36)),
        ("SERIOUS", date(2026, 3, 31), ["SAFETY"], (12, 36)),
        ("MINOR", date(2026, 4, 1), ["ENERGY"], (0, 3)),
        ("GENERAL", date(2026, 4, 1), ["SAFETY"], (3, 12)),
        ("SERIOUS", date(2026, 4, 1), ["ENERGY"], (12, 36)),
    ],
)
def test_windows_by_rule_version(
    catalogue: Catalogue,
    wuhai: Profile,
    severity: str,
    decided_on: date,
    dimensions: list[str],
    window: tuple[int, int],
) -> None:
    found = catalogue.window(wuhai, severity, dimensions, decided_on)
    assert (found.min_months, found.max_months) == window


def test_clocks(catalogue: Catalogue, wuhai: Profile) -> None:
    days = {cause: catalogue.clock_days(wuhai, cause) for cause in terms("causes")}
    assert {cause for cause, count in days.items() if count == 3} == {
        "REVOKED",
        "WRONG_SUBJECT",
        "CORRECTED",
        "OTHER",
    }
    assert set(days.values()) == {1, 3}
    assert catalogue.rules.clocks["REPAIRED"].mark == "M"
    own = wuhai.model_copy(update={"clocks": {"REPAIRED": 2}})
    assert catalogue.clock_days(own, "REPAIRED") == 2
    assert (catalogue.publish_by_days(["ENERGY"]), catalogue.publish_by_days(["ENERGY", "SAFETY"])) == (20, 7)


@pytest.mark.parametrize(
    ("cited", "level"),
    [
        ("国发〔2010〕7号", "STATE_COUNCIL_POLICY"),
        ("国发[2010]7号", "STATE_COUNCIL_POLICY"),
        ("工信部联产业〔2017〕30号", "NORMATIVE"),
        ("节约能源法", "LAW"),
        ("《中华人民共和国安全生产法》", "LAW"),
        ("招标投标法实施条例", "ADMIN_REG"),
        ("产业结构调整指导目录（2019年本）", "DEPT_RULE"),
        ("常政办发〔2017〕171号", "NORMATIVE"),
        ("乌海市落实能耗双控措施依法依规淘汰落后产能退出实施意见(征求意见稿)", "DRAFT"),
        ("国发〔2010〕8号", None),
        ("", None),
    ],
)
def test_bases_are_found_as_documents_cite_them(catalogue: Catalogue, cited: str, level: str | None) -> None:
    basis = catalogue.find_basis(cited)
    assert (basis.level if basis else None) == level


def test_local_bases_bear_only_in_their_own_region(
    catalogue: Catalogue, wuhai: Profile, changzhou: Profile
) -> None:
    local = next(iter(wuhai.bases)).model_copy(update={"level": "LOCAL_REG", "region": "150000"})
    rule = catalogue.rules.record_class_bases["SERIOUS_LIST"]
    assert catalogue.bears(rule, local, wuhai)
    assert not catalogue.bears(rule, local, changzhou)


def test_every_term_has_both_labels() -> None:
    for table in tables().values():
        for term in table.values():
            assert term.zh.strip()
            assert term.en.strip()
    assert len(terms("states")) == 11
    assert [code for code, term in terms("states").items() if term.in_force] == ["LISTED"]
    assert {code for code, term in terms("states").items() if term.terminal} == {
        "DROPPED",
        "REMOVED",
        "REVOKED",
    }


THIRD = """
region = "130200"
name = "示例市"
valid_from = 2022-01-01
valid_to = 2024-12-31
areas = ["SA07", "SA10"]
copy_to = "EX_OFFICE"
record_class = "OTHER_DISHONESTY"
severity = "GENERAL"
credit_measures = ["CP02"]

[[covers]]
code = "130200"
name = "示例市"
parent = "130000"

[dimensions.ENERGY]
limit_months = 3
extension_months_max = 1

[[routes]]
channel = "EX_SITE"
mode = "DIRECT"
[[routes]]
channel = "NCISP"
mode = "CASCADE"

[price]
classes = ["RESTRICTED", "淘汰"]
env_colours = ["黑"]

[windows.GENERAL]
min_months = 1
max_months = 6

[clocks]
REVOKED = 2

[[channels]]
code = "EX_SITE"
name = "信用示例"
public = true
kind = "public site"

[[bases]]
id = "EX_REGULATION"
title = "示例市社会信用条例"
level = "LOCAL_REG"
status = "IN_FORCE"
region = "130200"

[[authorities]]
uscc = "11150300M0000L112J"
name = "示例局"
region = "130200"
"""


@pytest.mark.parametrize("beside", [True, False])
def test_a_third_city_is_one_file(tmp_path: Path, beside: bool) -> None:
    if beside:
        tmp_path.joinpath("city.toml").write_text(THIRD, "utf-8")
        catalogue = load_catalogue(extra_profiles=tmp_path)
    else:
        shutil.copytree(FOLDER, tmp_path / "catalogue")
        tmp_path.joinpath("catalogue", "profiles", "130200.toml").write_text(THIRD, "utf-8")
        catalogue = load_catalogue(tmp_path / "catalogue")
    city = catalogue.profile_for("130200", date(2023, 1, 1))
    assert city is not None
    assert catalogue.profile_for("130200", date(2025, 1, 1)) is None
    assert (city.copy_to, city.edition) == (("EX_OFFICE",), "130200@2022-01-01")
    codes = [measure.code for measure in catalogue.measures_of(city, date(2023, 1, 1)).measures]
    assert codes == ["M0701", "M0702", "M1001", "PP01", "PP02", "PP03", "PP04", "PP05", "CP02"]
    assert (city.price.classes, city.price.env_colours) == (("限制类", "淘汰类"), ("黑色",))
    assert catalogue.window(city, "GENERAL", ["ENERGY"], date(2023, 1, 1)).max_months == 6
    assert catalogue.clock_days(city, "REVOKED") == 2
    assert catalogue.channel(city, "EX_SITE").public
    assert not catalogue.channel(city, "NCISP").public
    basis = catalogue.find_basis("示例市社会信用条例")
    assert basis is not None
    assert catalogue.bears(catalogue.rules.record_class_bases["SERIOUS_LIST"], basis, city)
    assert catalogue.profile_for("150300", WUHAI_DAY) is not None
