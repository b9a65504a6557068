"""The closing tables and the JSON object."""

from __future__ import annotations

import re
from dataclasses import replace
from io import StringIO
from typing import TYPE_CHECKING

import orjson
import pytest
from rich.console import Console

from liancheng.demo.expectations import read_destinations, read_events
from liancheng.demo.report import show
from liancheng.demo.result import Look, Result, as_json

if TYPE_CHECKING:
    from liancheng.demo.expectations import Expectations
    from liancheng.demo.observation import Observation

LOOK = Look("http://127.0.0.1:1", "http://127.0.0.1:2/", "lck_token", "/folder", "/folder/operator.env")


@pytest.fixture
def result(expectations: Expectations, seen: Observation) -> Result:
    names = {entry["code"]: (entry["name_zh"], entry["name_en"]) for entry in read_destinations()}
    return Result(expectations, read_events(), names, seen, "Apache Kafka 4.3.0", 5.0, 8.0, LOOK)


def shown(result: Result, width: int = 128) -> str:
    text = StringIO()
    show(result, Console(file=text, width=width))
    return text.getvalue()


def row(text: str, start: str) -> list[str]:
    return next(line for line in text.splitlines() if line.strip().startswith(start)).split()


def test_each_event_shows_its_way_to_each_receiver(result: Result) -> None:
    text = shown(result)
    nobody, wuhai = "· · · · · · · · ·", "● ● · · · ● ● ● ●"
    assert " ".join(row(text, "evt-0001")[-9:]) == nobody
    assert " ".join(row(text, "evt-0003")[-9:]) == wuhai
    assert " ".join(row(text, "evt-0009b")[-9:]) == "· · ● ● ● ● ● ● ●"
    assert " ".join(row(text, "evt-0009a")[-9:]) == "· · ○ ○ ○ ○ ○ ○ ○"
    assert "不推送 pushed to nobody" in text
    assert "死信 dead letter 3" in text
    assert "E_USCC_CHECKSUM" in text


def test_each_receiver_shows_what_it_holds(result: Result) -> None:
    assert "0009b v2 ○" in " ".join(row(shown(result), "4 "))
    assert "0003 v1 ●" in " ".join(row(shown(result), "2 "))


def test_it_ends_with_the_laws_the_outcome_and_where_to_look(result: Result) -> None:
    text = shown(result)
    assert "9 produced = 8 accepted + 0 duplicate + 0 held" in text
    assert "45 owed = 45 accepted + 0 superseded + 0 rejected + 0 parked" in text
    assert "Every expectation held" in text
    for place in (LOOK.api, LOOK.receivers, LOOK.folder, LOOK.operator_file, LOOK.token):
        assert place in text
    assert "Where to look next" not in shown(replace(result, look=None))


def test_a_mismatch_shows_expected_and_got(result: Result) -> None:
    result.seen.verdicts["evt-0001"]["verdict"] = "HELD"
    text = shown(result)
    assert row(text, "evt-0001  ")[:2] == ["evt-0001", "暂挂"]
    assert "1 处不符" in text
    assert "Every expectation held" not in text
    line = next(line for line in text.splitlines() if "判定 verdict" in line and "ACCEPTED" in line)
    assert line.split() == ["evt-0001", "判定", "verdict", "ACCEPTED", "HELD"]


@pytest.mark.parametrize("width", [80, 128])
def test_no_code_and_no_mark_is_cut_off(result: Result, width: int) -> None:
    text = shown(replace(result, look=None), width)
    assert "…" not in re.sub(r"…\w{6} v\d", "", text)  # of uids only the end is shown
    assert "W_DISPOSAL_INCOMPLETE" in text
    assert "· · ○ ○ ○ ○ ○ ○ ○" in text


def test_an_event_without_verdict_is_shown_as_such(result: Result) -> None:
    del result.seen.verdicts["evt-0008"]
    assert row(shown(result), "evt-0008")[1:3] == ["无", "none"]


def test_the_json_object_says_the_same(result: Result) -> None:
    told = orjson.loads(orjson.dumps(as_json(result)))
    assert told["ok"] is True
    assert told["mismatches"] == []
    assert told["kafka"] == "Apache Kafka 4.3.0"
    assert told["seconds"] == {"ready": 5.0, "total": 8.0}
    assert [event["id"] for event in told["events"]] == list(read_events())
    refused = told["events"][2]
    assert (refused["verdict"], refused["record_uid"], refused["destinations"]) == ("REFUSED", None, [])
    assert refused["dead_letter"] == {"inbox_id": 3, "topic": "events", "partition": 0, "offset": 3}
    revoked = told["events"][-1]
    assert (revoked["state"], revoked["op"], revoked["version"]) == ("REVOKED", "RETRACT", 2)
    assert len(revoked["destinations"]) == 7
    assert told["receivers"]["JS_PCIS"]["holds"][revoked["record_uid"]] == {"version": 2, "op": "RETRACT"}
    assert told["conservation"]["holds"] is True
    assert told["conservation"]["events"]["produced"] == 9
    assert told["conservation"]["deliveries"]["accepted"] == 45
    assert told["look"]["api"] == LOOK.api


def test_the_json_object_names_each_mismatch(result: Result) -> None:
    result.seen.produced = 10
    told = as_json(replace(result, look=None))
    assert told["ok"] is False
    assert told["look"] is None
    assert told["mismatches"][0] == {"subject": "*", "what": "produced", "expected": "9", "got": "10"}
