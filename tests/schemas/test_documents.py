from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.documents import content_digest, known_digest, normalise_document_number, normalise_name
from schemas.events import read_data

if TYPE_CHECKING:
    from collections.abc import Callable

NUMBER = "工信列决字〔2022〕5号"


def digest(event: dict[str, Any]) -> bytes:
    read = read_data(event["type"], event["data"])
    assert read.data is not None
    assert not read.findings
    return content_digest(read.data)


@pytest.mark.parametrize(
    "text",
    [
        "工信列决字〔2022〕5号",
        "工信列决字[2022]5号",
        "工信列决字［2022］5号",
        "工信列决字【2022】5号",
        "工信列决字(2022)5号",
        "工信列决字（２０２２）５号",
        " 工信列决字 〔2022〕　5 号\u200b",
        "工信列决字〖2022〗5号",
    ],
)
def test_one_document_number_however_it_is_typed(text: str) -> None:
    assert normalise_document_number(text) == NUMBER


def test_different_numbers_stay_different() -> None:
    others = [
        "工信列决字〔2022〕15号",
        "工信列决字〔2023〕5号",
        "工信列告字〔2022〕5号",
        "工信列决字〔2022〕5-1号",
    ]
    assert len({normalise_document_number(text) for text in [NUMBER, *others]}) == 5


@given(st.text())
def test_normalising_is_idempotent(text: str) -> None:
    number, name = normalise_document_number(text), normalise_name(text)
    assert normalise_document_number(number) == number
    assert normalise_name(name) == name


def test_names_compare_equal_over_brackets_width_blanks_and_case() -> None:
    texts = [
        "内蒙古示例新材料（集团）有限公司",
        "内蒙古示例新材料(集团)有限公司",
        "内蒙古示例新材料〔集团〕 有限公司",
    ]
    assert len({normalise_name(text) for text in texts}) == 1
    assert normalise_name("示例ａｂｃ公司") == normalise_name("示例 ABC 公司")
    assert normalise_name("示例甲公司") != normalise_name("示例乙公司")


def test_the_digest_does_not_depend_on_how_the_content_was_typed(
    case: Callable[[str], dict[str, Any]],
) -> None:
    plain, typed = case("evt-0003"), case("evt-0003")
    data = typed["data"]
    data["decision"]["doc_no"] = "乌工信列决字[2022] ３号"
    data["enterprise"]["name"] = "乌海市示例电石化工有限公司　"
    data["enterprise"]["uscc"] = "91150304m0000p148f"
    for name in ("dimensions", "bases", "disposal", "capacity_items", "co_authorities"):
        data[name].reverse()
    data["dimensions"].append("ENV")
    data["bases"][0]["basis"] = data["bases"][0]["basis"].replace("〔", "[").replace("〕", "]")
    data["severity"] = None
    data["unknown"] = {"is": "ignored"}
    data["trace_id"] = "not-content"
    typed |= {"id": "other", "source": "//other", "time": "2030-01-01T00:00:00Z"}
    assert digest(plain) == digest(typed)
    assert len(digest(plain)) == 32


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data["dimensions"].remove("ENV"),
        lambda data: data["decision"].update(decided_on="2022-07-14"),
        lambda data: data["decision"].pop("served_on"),
        lambda data: data["enterprise"].update(name="乌海市示例电石化工有限责任公司"),
        lambda data: data["capacity_items"][0].update(capacity=2.3),
        lambda data: data["bases"].pop(),
        lambda data: data.update(failure_reason="F01"),
        lambda data: data["enterprise"].update(legal_rep="王某"),
    ],
)
def test_the_digest_changes_with_any_known_content(
    case: Callable[[str], dict[str, Any]], change: Callable[[dict[str, Any]], object]
) -> None:
    changed = case("evt-0003")
    change(changed["data"])
    assert digest(changed) != digest(case("evt-0003"))


def test_fields_can_be_left_out_to_compare_the_rest(case: Callable[[str], dict[str, Any]]) -> None:
    poorer = case("evt-0003")
    del poorer["data"]["decision"]["served_on"]
    exclude = {"decision": {"served_on"}}
    one, other = (read_data(event["type"], event["data"]).data for event in (case("evt-0003"), poorer))
    assert one is not None
    assert other is not None
    assert content_digest(one) != content_digest(other)
    assert content_digest(one, exclude=exclude) == content_digest(other, exclude=exclude)


def test_full_width_quotes_do_not_make_one_text_read_as_two() -> None:
    assert known_digest('{"a":"x＂,＂b":"y"}'.encode()) != known_digest(b'{"a":"x","b":"y"}')
    assert known_digest('{"a":"＼"}'.encode()) == known_digest(b'{"a":"\\\\"}')


def test_what_is_kept_of_an_event_reads_back_as_the_same(cases: dict[str, dict[str, Any]]) -> None:
    for event in cases.values():
        read = read_data(event["type"], event["data"])
        if read.data is None or read.findings:
            continue
        again = read_data(event["type"], orjson.loads(read.data.known()))
        assert again.data == read.data
        assert not again.findings
