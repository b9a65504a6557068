from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.simulator.harness import body_of, headers_of, signature, uid

if TYPE_CHECKING:
    from tests.simulator.harness import Simulator

OTHER_KEY = b"o" * 32


def test_one_good_signature_of_several_will_do(simulator: Simulator) -> None:
    body = body_of(uid(1))
    headers = headers_of(body)
    webhook_id, at = headers["webhook-id"], headers["webhook-timestamp"]
    other = signature(body, webhook_id, at, OTHER_KEY)
    for listed in (f"{other} {headers['webhook-signature']}", f"{headers['webhook-signature']} {other}"):
        reply = simulator.request("POST", "/NCISP", body, headers | {"webhook-signature": listed})
        assert reply.status == 200
    asymmetric = f"v1a,{other[3:]} {headers['webhook-signature']}"
    reply = simulator.request("POST", "/NCISP", body, headers | {"webhook-signature": asymmetric})
    assert reply.status == 200


def test_only_foreign_signatures_will_not_do(simulator: Simulator) -> None:
    body = body_of(uid(1))
    headers = headers_of(body)
    webhook_id, at = headers["webhook-id"], headers["webhook-timestamp"]
    other = signature(body, webhook_id, at, OTHER_KEY)
    reply = simulator.request("POST", "/NCISP", body, headers | {"webhook-signature": f"{other} {other}"})
    assert reply.status == 401
    (arrival,) = simulator.arrivals("NCISP")
    assert (arrival["verdict"], arrival["answered"], arrival["record_uid"]) == ("BAD_SIGNATURE", 401, uid(1))
    assert simulator.get("/NCISP/counts")["bad_signature"] == 1
    assert simulator.get("/NCISP/records")["items"] == []


@pytest.mark.parametrize(("age", "status"), [(280, 200), (-280, 200), (320, 401), (-320, 401)])
def test_the_timestamp_has_a_tolerance_of_five_minutes(simulator: Simulator, age: int, status: int) -> None:
    body = body_of(uid(1))
    assert simulator.request("POST", "/NCISP", body, headers_of(body, at=time.time() - age)).status == status


@pytest.mark.parametrize("changed", ["webhook-id", "webhook-timestamp", "body"])
def test_all_that_is_signed_counts(simulator: Simulator, changed: str) -> None:
    body = body_of(uid(1))
    headers = headers_of(body)
    if changed == "webhook-id":
        headers["webhook-id"] += "x"
    elif changed == "webhook-timestamp":
        headers["webhook-timestamp"] = str(int(headers["webhook-timestamp"]) + 1)
    else:
        body += b" "
    assert simulator.request("POST", "/NCISP", body, headers).status == 401


@pytest.mark.parametrize("missing", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_a_missing_header_is_a_bad_signature(simulator: Simulator, missing: str) -> None:
    body = body_of(uid(1))
    headers = {name: value for name, value in headers_of(body).items() if name != missing}
    assert simulator.request("POST", "/NCISP", body, headers).status == 401
    assert simulator.get("/NCISP/counts")["bad_signature"] == 1


@pytest.mark.parametrize("garbage", ["v1", "v1,!", "v1,a,b", ",", "v1,é", "v1," + "A" * 4000, "  "])
def test_an_unreadable_signature_is_a_bad_one(simulator: Simulator, garbage: str) -> None:
    body = body_of(uid(1))
    reply = simulator.request("POST", "/NCISP", body, headers_of(body) | {"webhook-signature": garbage})
    assert reply.status == 401


@pytest.mark.parametrize("stamp", ["", "soon", "nan", "inf", "-1", "1e400"])
def test_an_unreadable_timestamp_is_a_bad_signature(simulator: Simulator, stamp: str) -> None:
    body = body_of(uid(1))
    reply = simulator.request("POST", "/NCISP", body, headers_of(body) | {"webhook-timestamp": stamp})
    assert reply.status == 401
