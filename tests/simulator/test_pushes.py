from __future__ import annotations

import hashlib
import sqlite3
from typing import TYPE_CHECKING

import pytest

from tests.simulator.harness import SECRET, body_of, headers_of, running, uid

if TYPE_CHECKING:
    from pathlib import Path

    from tests.simulator.harness import Simulator


def test_a_push_is_held_and_shown(simulator: Simulator) -> None:
    body = body_of(uid(1), 2, cause="REPAIRED")
    reply = simulator.request("POST", "/NCISP", body, headers_of(body))
    assert (reply.status, reply.json) == (200, {"status": "accepted"})
    assert simulator.get("/NCISP/records") == {
        "items": [
            {
                "record_uid": uid(1),
                "version": 2,
                "op": "UPSERT",
                "state": "LISTED",
                "cause": "REPAIRED",
                "subject": "91150300M000003690",
                "name": "虚构铁合金厂",
                "arrival_no": 1,
            }
        ],
        "next": None,
    }
    (arrival,) = simulator.arrivals("NCISP")
    at = arrival.pop("at")
    assert isinstance(at, float)
    assert arrival == {
        "arrival_no": 1,
        "webhook_id": f"{uid(1)}.2.NCISP",
        "record_uid": uid(1),
        "version": 2,
        "sequence": 2,
        "op": "UPSERT",
        "cause": "REPAIRED",
        "body_sha256": hashlib.sha256(body).hexdigest(),
        "verdict": "NEW",
        "fault": None,
        "answered": 200,
        "connection": 1,
    }


def test_receivers_hold_apart(simulator: Simulator) -> None:
    simulator.push("NCISP", uid(1), 2)
    assert simulator.push("CREDIT_CHINA", uid(1), 1).json == {"status": "accepted"}
    assert [item["version"] for item in simulator.get("/NCISP/records")["items"]] == [2]
    assert [item["version"] for item in simulator.get("/CREDIT_CHINA/records")["items"]] == [1]


def test_repeats_and_older_versions_are_told_apart_and_counted(simulator: Simulator) -> None:
    statuses = [simulator.push("NCISP", uid(1), version).status for version in (1, 1, 3, 2, 1, 3)]
    assert statuses == [200, 200, 200, 409, 409, 200]
    assert [a["verdict"] for a in simulator.arrivals("NCISP")] == [
        "NEW",
        "DUPLICATE",
        "NEW",
        "STALE",
        "STALE",
        "DUPLICATE",
    ]
    counts = simulator.get("/NCISP/counts")
    assert counts == {
        "requests": 6,
        "accepted": 2,
        "duplicates": 2,
        "stale": 2,
        "bad_signature": 0,
        "malformed": 0,
        "faulted": 0,
        "standing": 1,
        "withdrawn": 0,
        "faults": {},
    }


def test_a_stale_push_is_refused_in_problem_form(simulator: Simulator) -> None:
    simulator.push("NCISP", uid(1), 2)
    reply = simulator.push("NCISP", uid(1), 1)
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.json["status"] == 409
    assert reply.json["verdict"] == "STALE"


def test_a_retraction_withdraws_and_is_not_undone_by_what_it_overtook(simulator: Simulator) -> None:
    simulator.push("NCISP", uid(1), 1)
    simulator.push("NCISP", uid(1), 3, op="RETRACT", cause="REVOKED")
    assert simulator.push("NCISP", uid(1), 2).status == 409
    counts = simulator.get("/NCISP/counts")
    assert (counts["standing"], counts["withdrawn"]) == (0, 1)
    (held,) = simulator.get("/NCISP/records")["items"]
    assert (held["version"], held["op"], held["cause"]) == (3, "RETRACT", "REVOKED")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "body: json_invalid"),
        (b"\xff\xfe", "body: json_invalid"),
        (b"[]", "body: model_type"),
        (body_of(uid(1), 0), "version: greater_than_equal"),
        (body_of(uid(1), 2**63), "version: less_than_equal"),
        (body_of("short"), "record_uid: string_too_short"),
        (body_of(uid(1), op="DELETE"), "op: literal_error"),
        (body_of(uid(1), version="1"), "version: int_type"),  # type: ignore[arg-type]
        (body_of(uid(1), cause="\\ud800").replace(b"\\\\", b"\\"), "body: json_invalid"),
    ],
)
def test_what_is_no_push_is_refused_recorded_and_not_held(
    simulator: Simulator, body: bytes, reason: str
) -> None:
    if body == b"\xff\xfe":  # the package verifies text only
        reason = "Invalid Signature Headers"
    reply = simulator.request("POST", "/NCISP", body, headers_of(body, webhook_id="x"))
    assert reason in reply.json["detail"]
    assert reply.status in {400, 401}
    (arrival,) = simulator.arrivals("NCISP")
    assert arrival["verdict"] in {"MALFORMED", "BAD_SIGNATURE"}
    assert arrival["answered"] == reply.status
    assert simulator.get("/NCISP/records")["items"] == []
    assert simulator.push("NCISP", uid(2)).status == 200


@pytest.mark.parametrize(
    ("record", "line"),
    [
        ({}, (None, None, None)),
        ({"subject": {"uscc": "91150300M000003690", "name": "甲"}}, (None, "91150300M000003690", "甲")),
        ({"state": "REVOKED", "name": "乙", "names": []}, ("REVOKED", None, "乙")),
        ({"names": [{"name": "旧"}, {"name": "新"}]}, (None, None, "新")),
        ({"names": ["丙"], "subject": "X"}, (None, "X", None)),
    ],
)
def test_a_record_of_any_shape_has_its_line(
    simulator: Simulator, record: dict[str, object], line: tuple[str | None, ...]
) -> None:
    assert simulator.push("NCISP", uid(1), record=record).status == 200
    (held,) = simulator.get("/NCISP/records")["items"]
    assert (held["state"], held["subject"], held["name"]) == line


def test_a_restart_remembers(tmp_path: Path) -> None:
    database = tmp_path / "kept.sqlite3"
    with running(database) as first:
        first.push("NCISP", uid(1), 2)
    with running(database) as second:
        assert second.push("NCISP", uid(1), 2).json == {"status": "duplicate"}
        assert second.push("NCISP", uid(1), 1).status == 409
        arrivals = second.arrivals("NCISP")
    assert [a["arrival_no"] for a in arrivals] == [1, 2, 3]
    connections = [a["connection"] for a in arrivals]
    assert connections == sorted(set(connections))


def test_what_cannot_be_recorded_is_not_answered_well(simulator: Simulator) -> None:
    assert simulator.push("NCISP", uid(1)).status == 200
    breaker = sqlite3.connect(simulator.database)
    try:
        breaker.execute("alter table arrival rename to hidden")
        breaker.commit()
        assert simulator.push("NCISP", uid(2)).status == 500
        assert simulator.request("GET", "/readyz").status == 503
        breaker.execute("alter table hidden rename to arrival")
        breaker.commit()
    finally:
        breaker.close()
    assert simulator.push("NCISP", uid(2)).json == {"status": "accepted"}
    assert simulator.request("GET", "/readyz").status == 200
    assert [a["arrival_no"] for a in simulator.arrivals("NCISP")] == [1, 2]


def test_configured_receivers_replace_the_nine(tmp_path: Path) -> None:
    file = tmp_path / "receivers.json"
    file.write_text('[{"code": "TEST_A", "name_zh": "测试甲", "name_en": "Test A", "secret": "%s"}]' % SECRET)  # noqa: UP031
    with running(tmp_path / "db", receivers_file=file, secret=None) as started:
        assert started.push("TEST_A", uid(1)).status == 200
        assert started.push("NCISP", uid(1)).status == 404
        assert [r["code"] for r in started.get("/")["receivers"]] == ["TEST_A"]
