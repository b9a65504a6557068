"""The builder makes what the model says."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from pydantic import ValidationError

from schemas.codes import Code, Finding
from schemas.events import FactData, read_data
from schemas.record import Body, RecordBody, body_bytes, measure, record_body, revocation

if TYPE_CHECKING:
    from collections.abc import Callable


def body(event: dict[str, Any], **changes: Any) -> Body:
    data = read_data(event["type"], event["data"]).data
    assert isinstance(data, FactData)
    return record_body(
        data,
        **{
            "state": "LISTED",
            "in_force": True,
            "name_from": date(2022, 7, 15),
            "effective_due": date(2022, 2, 28),
            "listed_on": date(2022, 7, 18),
            "publicity_until": date(2025, 7, 18),
            "record_class": "SERIOUS_LIST",
            "severity": "SERIOUS",
            "measures": [
                measure("SA01", "M0101", date(2022, 7, 18), date(2025, 7, 18)),
                measure("PRICE", "PP01", date(2022, 7, 18), None),
            ],
            "decision": getattr(data, "decision", None),
            "warnings": [Finding(Code.W_DISPOSAL_INCOMPLETE, "data.disposal", "D02", "D04")],
            **changes,
        },
    )


def test_the_body_is_what_the_model_says_in_the_models_order(case: Callable[[str], dict[str, Any]]) -> None:
    made = body_bytes(body(case("evt-0003")))
    model = RecordBody.model_validate_json(made)
    assert model.model_dump_json(by_alias=True).encode() == made
    assert list(orjson.loads(made)) == list(RecordBody.model_fields)


@pytest.mark.parametrize("name", ["evt-0001", "evt-0002", "evt-0005b", "evt-0008", "evt-0009b", "evt-0012"])
def test_every_case_makes_a_body(case: Callable[[str], dict[str, Any]], name: str) -> None:
    model = RecordBody.model_validate_json(body_bytes(body(case(name))))
    assert model.subject == case(name)["subject"]
    assert model.case_ids == [case(name)["data"]["case_id"]]


def test_the_worked_listing_is_shown_whole(case: Callable[[str], dict[str, Any]]) -> None:
    shown = orjson.loads(body_bytes(body(case("evt-0003"))))
    assert shown["names"] == [{"name": "乌海市示例电石化工有限公司", "from": "2022-07-15"}]
    assert shown["decision"] == {
        "doc_no": "乌工信列决字〔2022〕3号",
        "doc_type": "LISTING",
        "decided_on": "2022-07-15",
        "served_on": "2022-07-18",
    }
    assert shown["authority"] == {
        "name": "乌海市工业和信息化局",
        "uscc": "11150300M0000L112J",
        "region": "150300",
    }
    assert [authority["uscc"] for authority in shown["co_authorities"]] == [
        "11150300M0000T1737",
        "11150300M0000U184J",
    ]
    assert [item["catalog"] for item in shown["capacity_items"]] == [
        {"edition": "2019年本", "class": "淘汰类"},
        {"edition": "2019年本", "class": "限制类"},
    ]
    assert (shown["legal_rep"], shown["reasons"]) == ("李某", ["F02"])
    assert shown["measures"][1] == {"area": "PRICE", "code": "PP01", "start": "2022-07-18", "end": None}
    assert shown["warnings"][0]["code"] == "W_DISPOSAL_INCOMPLETE"


def test_a_later_version_is_the_earlier_body_with_changes(case: Callable[[str], dict[str, Any]]) -> None:
    stored = orjson.loads(body_bytes(body(case("evt-0009b"))))
    later = stored | {
        "state": "REVOKED",
        "cause": "REVOKED",
        "in_force": False,
        "revocation": revocation("常行复〔2022〕21号", date(2022, 9, 5), "认定事实不清，依法撤销"),
    }
    model = RecordBody.model_validate_json(body_bytes(later))
    assert model.revocation is not None
    assert model.revocation.decided_on == date(2022, 9, 5)
    assert model.model_dump_json(by_alias=True).encode() == body_bytes(later)


@pytest.mark.parametrize("change", [{"state": "PUBLISHED"}, {"cause": "BORED"}, {"severity": "GRAVE"}])
def test_the_model_knows_its_codes(case: Callable[[str], dict[str, Any]], change: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        RecordBody.model_validate_json(body_bytes(body(case("evt-0003"), **change)))
