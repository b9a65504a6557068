from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from services.simulator.receivers import NAMES
from tests.simulator.harness import SECRET, TOKEN, running, uid

if TYPE_CHECKING:
    from pathlib import Path

    from tests.simulator.harness import Simulator

RULES = b'[{"kind": "reset"}]'


def test_the_index_names_the_nine_in_both_languages(simulator: Simulator) -> None:
    simulator.push("NCISP", uid(1))
    receivers = simulator.get("/")["receivers"]
    assert {r["code"]: (r["name_zh"], r["name_en"]) for r in receivers} == NAMES
    assert len(receivers) == 9
    (ncisp,) = (r for r in receivers if r["code"] == "NCISP")
    assert ncisp["counts"] == simulator.get("/NCISP/counts")
    for link in ncisp["links"].values():
        assert simulator.request("GET", link).status == 200


def test_a_browser_gets_a_page_and_names_are_escaped(tmp_path: Path) -> None:
    file = tmp_path / "receivers.json"
    file.write_text(json.dumps([{"code": "A", "name_zh": "<甲>", "name_en": "A & B", "secret": SECRET}]))
    with running(tmp_path / "db", receivers_file=file) as simulator:
        simulator.push("A", uid(1))
        reply = simulator.request("GET", "/", headers={"accept": "text/html,*/*;q=0.8"})
    page = reply.body.decode()
    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    assert "&lt;甲&gt;" in page
    assert "A &amp; B" in page
    assert "<甲>" not in page
    assert "<td>1</td>" in page


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
def test_health(simulator: Simulator, path: str) -> None:
    assert simulator.get(path) == {"status": "ok"}


@pytest.mark.parametrize("what", ["records", "arrivals"])
def test_pages_follow_on_without_gap_or_repeat(simulator: Simulator, what: str) -> None:
    for number in range(7):
        simulator.push("NCISP", uid(number))
        simulator.push("CREDIT_CHINA", uid(number))
    seen: list[str] = []
    after: str | None = ""
    for expected in (3, 3, 1):
        page = simulator.get(f"/NCISP/{what}?limit=3&after={after}")
        assert len(page["items"]) == expected
        seen += [item["record_uid"] for item in page["items"]]
        after = page["next"]
    assert after is None
    assert seen == [uid(number) for number in range(7)]
    assert simulator.get(f"/NCISP/{what}?limit=7")["next"] is None


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=10001", "limit=-1", "limit=x", "after=x", "after=" + "9" * 30, "page=2", "limit="],
)
def test_a_page_that_cannot_be_served_is_an_error(simulator: Simulator, query: str) -> None:
    reply = simulator.request("GET", f"/NCISP/arrivals?{query}")
    assert reply.status == 400
    assert reply.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("method", "path", "status", "allow"),
    [
        ("GET", "/NOBODY/records", 404, None),
        ("POST", "/NOBODY", 404, None),
        ("GET", "/NCISP/secrets", 404, None),
        ("GET", "/NCISP", 405, "POST"),
        ("PUT", "/NCISP", 405, "POST"),
        ("POST", "/", 405, "GET, HEAD"),
        ("DELETE", "/readyz", 405, "GET, HEAD"),
        ("POST", "/NCISP/records", 405, "GET, HEAD"),
    ],
)
def test_other_paths_and_methods(
    simulator: Simulator, method: str, path: str, status: int, allow: str | None
) -> None:
    reply = simulator.request(method, path)
    assert (reply.status, reply.headers.get("allow")) == (status, allow)


@pytest.mark.parametrize("given", [None, "", "Bearer", "Bearer wrong", TOKEN, f"Bearer {TOKEN}x", "Bearer é"])
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "POST"])
def test_faults_need_the_admin_token(simulator: Simulator, method: str, given: str | None) -> None:
    headers = {} if given is None else {"authorization": given}
    reply = simulator.request(method, "/admin/NCISP/faults", RULES, headers)
    assert (reply.status, reply.headers["www-authenticate"]) == (401, "Bearer")
    assert simulator.push("NCISP", uid(1)).status == 200


def test_without_a_token_nobody_may(tmp_path: Path) -> None:
    with running(tmp_path / "db", admin_token=None) as simulator:
        for given in ("Bearer ", "Bearer None", f"Bearer {TOKEN}"):
            reply = simulator.request("PUT", "/admin/NCISP/faults", RULES, {"authorization": given})
            assert reply.status == 403


def test_faults_are_set_shown_and_cleared(simulator: Simulator) -> None:
    bearer = {"authorization": f"Bearer {TOKEN}"}
    rules = [{"kind": "status", "status": 503, "count": 2}, {"kind": "down", "probability": 0}]
    shown = simulator.request("PUT", "/admin/NCISP/faults", json.dumps(rules).encode(), bearer).json
    assert shown == [
        {"kind": "status", "probability": 1.0, "count": 2, "status": 503, "used": 0, "remaining": 2},
        {"kind": "down", "probability": 0.0, "used": 0, "remaining": None},
    ]
    assert simulator.push("NCISP", uid(1)).status == 503
    assert simulator.request("GET", "/admin/NCISP/faults", headers=bearer).json[0]["remaining"] == 1
    assert simulator.request("DELETE", "/admin/NCISP/faults", headers=bearer).json == []
    assert simulator.push("NCISP", uid(1)).status == 200


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", b'[{"kind": "status"}]', b'[{"kind": "reset", "probability": 2}]', b'[{"kind": "no"}]'],
)
def test_unusable_rules_change_nothing(simulator: Simulator, body: bytes) -> None:
    bearer = {"authorization": f"Bearer {TOKEN}"}
    simulator.faults("NCISP", {"kind": "status", "status": 503})
    reply = simulator.request("PUT", "/admin/NCISP/faults", body, bearer)
    assert (reply.status, bool(reply.json["errors"])) == (422, True)
    assert simulator.push("NCISP", uid(1)).status == 503


def test_faults_of_an_unknown_receiver_are_not_found(simulator: Simulator) -> None:
    bearer = {"authorization": f"Bearer {TOKEN}"}
    assert simulator.request("GET", "/admin/NOBODY/faults", headers=bearer).status == 404
    assert simulator.request("POST", "/admin/NCISP/faults", RULES, bearer).status == 405
