"""The demo's data: equal to their sources, complete, and refused with a reason where they are wrong."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from liancheng.demo.expectations import (
    DESTINATIONS,
    ExpectationsError,
    read_destinations,
    read_events,
    read_expectations,
)
from liancheng.demo.story import parts
from schemas.catalogue.load import load_catalogue
from schemas.catalogue.terms import terms
from schemas.codes import Code

ROOT = Path(__file__).parents[2]


def test_events_are_those_of_the_worked_cases() -> None:
    lines = (ROOT / "tests/data/cases.ndjson").read_text("utf-8").splitlines()
    cases: dict[str, Any] = {(event := json.loads(line)["event"])["id"]: event for line in lines}
    events = read_events()
    assert events == {event_id: cases[event_id] for event_id in events}


def test_every_event_has_expectations_in_the_order_of_the_story() -> None:
    expectations = read_expectations()
    assert [event.id for event in expectations.events] == list(read_events())
    first, second = parts(expectations.events)
    assert [event.id for event in second] == ["evt-0009a"]
    assert first[-1].id == "evt-0009b"


def test_destinations_are_those_of_the_deployment() -> None:
    assert DESTINATIONS.read_text("utf-8") == (ROOT / "deploy/destinations.toml").read_text("utf-8")
    assert len(read_destinations()) == 9


def test_expectations_speak_the_words_of_the_contract() -> None:
    expectations = read_expectations()
    known = {entry["code"] for entry in read_destinations()}
    channels = {channel.code for profile in load_catalogue().profiles for channel in profile.channels}
    for event in expectations.events:
        assert event.codes | event.warnings <= set(Code)
        assert event.state is None or event.state in terms("states")
    for audience in expectations.audiences.values():
        assert known.issuperset(audience.always)
        assert channels.issuperset(audience.if_loaded)


def test_audiences_follow_the_profiles() -> None:
    """Platforms are the profile's own direct routes, copies its `copy_to` (`RULINGS` P2, C3)."""
    channel_of = {entry["code"]: entry.get("channel") for entry in read_destinations()}
    audiences = read_expectations().audiences
    for region, name in (("150300", "wuhai"), ("320400", "changzhou")):
        profile = next(profile for profile in load_catalogue().profiles if profile.region == region)
        direct = {route.channel for route in profile.routes if route.mode == "DIRECT"}
        assert {channel_of[code] for code in audiences[name].always} - {None} == direct
        assert set(audiences[name].if_loaded) == set(profile.copy_to)


def test_a_copy_is_expected_only_where_there_is_such_a_destination() -> None:
    expectations = read_expectations()
    listed = next(event for event in expectations.events if event.id == "evt-0008")
    without = expectations.told(listed, ["JS_PCIS"])
    assert expectations.told(listed, ["JS_PCIS", "CZ_HUAJIE"]) == without | {"CZ_HUAJIE"}
    assert "CZ_HUAJIE" not in without


EVENT = '[[events]]\nid = "a"\nzh = "甲"\nen = "a"\nverdict = "ACCEPTED"\n'
RECORD = 'version = 1\nstate = "LISTED"\nop = "UPSERT"\n'


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[[events]", "Expected"),
        ("audiences = {}", "events"),
        (f"audiences = {{}}\n{EVENT}state = 'LISTED'\n", "go together"),
        (
            f"audiences = {{}}\n{EVENT}version = 1\nstate = 'X'\nop = 'UPSERT'\naudience = 'all'\n",
            "no audience all",
        ),
        (f"audiences = {{}}\n{EVENT}after = 'b'\n", "b does not stand before it"),
        (f"audiences = {{}}\n{EVENT}{EVENT}", "twice"),
        (f"audiences = {{}}\n{EVENT}verdikt = 'HELD'\n", "verdikt"),
        (f"audiences = {{}}\n{EVENT.replace('ACCEPTED', 'FINE')}", "verdict"),
    ],
)
def test_a_wrong_file_is_refused_with_its_reason(tmp_path: Path, text: str, reason: str) -> None:
    file = tmp_path / "expectations.toml"
    file.write_text(text, "utf-8")
    with pytest.raises(ExpectationsError, match=reason) as refused:
        read_expectations(file)
    assert str(file) in str(refused.value)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ExpectationsError, match=r"nowhere\.toml"):
        read_expectations(tmp_path / "nowhere.toml")


def test_secrets_and_addresses_of_the_deployment_are_not_taken_over() -> None:
    raw = tomllib.loads(DESTINATIONS.read_text("utf-8"))["destinations"]
    assert all("secret_env" in entry for entry in raw)
    assert all(not {"url", "secret", "secret_env"} & entry.keys() for entry in read_destinations())
