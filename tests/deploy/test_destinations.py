"""deploy/destinations.toml: the nine receivers, loadable, and each owed what the two documents say."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING

import pytest

from liancheng.commands.destination import DestinationEntry, read_file
from schemas.catalogue.load import load_catalogue
from services.publisher.feed_row import Audience, Subscription
from services.runtime import settings as runtime_settings
from services.simulator.receivers import NAMES, from_file
from tests.deploy.compose_file import ROOT
from tools import compose_secrets

if TYPE_CHECKING:
    from pathlib import Path

FILE = ROOT / "deploy" / "destinations.toml"
ENTRIES = {
    entry["code"]: DestinationEntry(**entry)
    for entry in tomllib.loads(FILE.read_text("utf-8"))["destinations"]
}
AGENCIES = {"LAND_AGENCY", "TAX_AGENCY", "BANK_AGENCY", "PROCUREMENT_AGENCY"}
AREAS = frozenset(f"SA0{number}" for number in range(1, 10))


def owed(channels: set[str], areas: frozenset[str], regions: set[str]) -> set[str]:
    audience = Audience(frozenset(channels), areas, frozenset(regions))
    return {
        code
        for code, entry in ENTRIES.items()
        if Subscription(entry.channel, frozenset(entry.areas), frozenset(entry.regions)).matches(audience)
    }


def test_they_are_the_simulators_nine_by_the_same_names() -> None:
    assert {code: (entry.name_zh, entry.name_en) for code, entry in ENTRIES.items()} == dict(NAMES)


def test_what_they_subscribe_to_is_in_the_catalogue() -> None:
    catalogue = load_catalogue()
    routed = {route.channel for profile in catalogue.profiles for route in profile.routes}
    channels = {entry.channel for entry in ENTRIES.values()} - {None}
    assert channels <= routed
    assert {area for entry in ENTRIES.values() for area in entry.areas} <= set(catalogue.areas)
    types = tomllib.loads((ROOT / "schemas/catalogue/agency_types.toml").read_text("utf-8"))["agency_types"]
    assert {entry.agency_type for entry in ENTRIES.values()} - {None} <= set(types)


@pytest.mark.parametrize(
    ("channels", "regions"),
    [
        ({"CREDIT_CHINA", "NCISP"}, {"150303", "150300", "150000"}),
        ({"CREDIT_CHANGZHOU", "JS_PCIS", "CZ_PCIS"}, {"320481", "320400", "320000"}),
    ],
    ids=["a district of Wuhai", "a county of Changzhou"],
)
def test_a_listing_is_owed_to_its_platforms_and_the_agencies(channels: set[str], regions: set[str]) -> None:
    assert owed(channels, AREAS, regions) == channels | AGENCIES


def test_nobody_is_owed_what_concerns_none_of_his_areas_or_regions() -> None:
    assert owed(set(), frozenset({"SA02", "PRICE"}), {"150300"}) == set()
    assert owed(set(), AREAS, {"110000"}) == set()
    assert owed(set(), frozenset({"CREDIT"}), {"320400"}) == {"BANK_AGENCY"}


def test_it_loads_with_generated_secrets_that_the_simulator_knows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compose_secrets.make(tmp_path)
    monkeypatch.setattr(runtime_settings, "_SECRETS", tmp_path)
    loaded = read_file(FILE, "http://simulator:9080")
    assert {entry.url for entry in loaded} == {f"http://simulator:9080/{code}" for code in NAMES}
    verified_with = {
        receiver.code: [receiver.secret.get_secret_value()]
        for receiver in from_file(tmp_path / "simulator_receivers")
    }
    assert {entry.code: entry.live_secrets() for entry in loaded} == verified_with
    assert len({tuple(secrets) for secrets in verified_with.values()}) == len(NAMES), "one each"


def test_the_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compose_secrets.make(tmp_path)
    monkeypatch.setattr(runtime_settings, "_SECRETS", tmp_path)
    mine = compose_secrets.fresh()["liancheng_secret_ncisp"]
    monkeypatch.setenv("LIANCHENG_SECRET_NCISP", mine)
    assert ENTRIES["NCISP"].live_secrets() == [mine]
    assert ENTRIES["JS_PCIS"].live_secrets() != [mine]


def test_without_its_secret_it_does_not_load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime_settings, "_SECRETS", tmp_path)
    with pytest.raises(SystemExit, match="CREDIT_CHINA has no secret"):
        read_file(FILE, "http://simulator:9080")
