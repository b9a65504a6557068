"""Reading the data of an event: what is accepted, and what is said of what is not."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.codes import Code, Finding
from schemas.events import (
    EVENT_TYPES,
    CapacityExitOverdue,
    DataReading,
    DecisionRevoked,
    ListingDecided,
    read_data,
)
from schemas.events.reading import MOST_FINDINGS

if TYPE_CHECKING:
    from collections.abc import Callable

Event = dict[str, Any]
OVERDUE = "cn.capacity-exit.capacity.exit.overdue"


def read(event: Event) -> DataReading:
    return read_data(event["type"], event["data"])


def said(reading: DataReading) -> set[tuple[Code, str | None]]:
    return {(finding.code, finding.field) for finding in reading.findings}


def put(data: Event, path: str, value: object) -> None:
    *parents, last = path.split(".")
    for step in parents:
        data = cast("Any", data)[int(step) if step.isdigit() else step]
    if value is ...:
        del data[last]
    else:
        data[last] = value


def test_every_worked_case_of_a_known_type_is_read(cases: dict[str, Event]) -> None:
    for name, event in cases.items():
        reading = read(event)
        if event["type"] not in EVENT_TYPES:
            assert said(reading) == {(Code.E_UNKNOWN_TYPE, "type")}
        elif name == "evt-0004":
            assert said(reading) == {(Code.E_USCC_CHECKSUM, "data.enterprise.uscc")}
        else:
            assert reading.findings == []
            assert isinstance(reading.data, EVENT_TYPES[event["type"]])


def test_the_worked_shapes_arrive_typed(case: Callable[[str], Event]) -> None:
    overdue, listing, revoked = (read(case(name)).data for name in ("evt-0002", "evt-0003", "evt-0009a"))
    assert isinstance(overdue, CapacityExitOverdue)
    assert overdue.obligation is not None
    assert overdue.obligation.extension is not None
    assert (overdue.obligation.extension.months, overdue.decision) == (3, None)
    assert isinstance(listing, ListingDecided)
    assert listing.dimensions == ("ENV", "INDUSTRIAL_POLICY", "SAFETY")
    assert listing.decision.notice is not None
    assert (listing.decision.decided_on, listing.decision.notice.defence) == (date(2022, 7, 15), "WAIVED")
    assert [item.catalog.class_ for item in listing.capacity_items if item.catalog] == ["淘汰类", "限制类"]
    assert listing.enterprise.legal_rep == "李某"
    assert isinstance(revoked, DecisionRevoked)
    assert revoked.revoking is not None
    assert (revoked.revoked_doc_no, revoked.revoking.decided_on) == (
        "常工信列决〔2022〕7号",
        date(2022, 9, 5),
    )


def test_other_spellings_of_a_code_are_read_as_the_code(case: Callable[[str], Event]) -> None:
    event = case("evt-0008")
    event["data"]["enterprise"]["env_credit"]["grade"] = "黑"
    event["data"]["capacity_items"][0]["catalog"]["class"] = "淘汰"
    data = read(event).data
    assert isinstance(data, ListingDecided)
    assert data == read(case("evt-0008")).data
    assert data.enterprise.env_credit is not None
    assert data.enterprise.env_credit.grade == "黑色"


def test_unknown_fields_are_ignored_and_not_kept(case: Callable[[str], Event]) -> None:
    event = case("evt-0001")
    event["data"]["enterprise"]["legal_rep_id_number"] = "110101199003070000"
    event["data"]["whatever"] = [1, {"a": None}]
    reading = read(event)
    assert reading.findings == []
    assert reading.data is not None
    assert b"1990" not in reading.data.known()
    assert reading.data == read(case("evt-0001")).data


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("case_id", ..., (Code.E_SCHEMA, "data.case_id")),
        ("case_id", "", (Code.E_SCHEMA, "data.case_id")),
        ("case_id", " \u3000", (Code.E_SCHEMA, "data.case_id")),
        ("case_id", 7, (Code.E_SCHEMA, "data.case_id")),
        ("case_id", "x" * 101, (Code.E_FIELD_TOO_LONG, "data.case_id")),
        ("enterprise", ..., (Code.E_SCHEMA, "data.enterprise")),
        ("enterprise", [], (Code.E_SCHEMA, "data.enterprise")),
        ("enterprise.name", "名" * 201, (Code.E_FIELD_TOO_LONG, "data.enterprise.name")),
        ("enterprise.legal_rep", "张" * 51, (Code.E_FIELD_TOO_LONG, "data.enterprise.legal_rep")),
        ("enterprise.uscc", ..., (Code.E_SCHEMA, "data.enterprise.uscc")),
        ("enterprise.uscc", 91150303, (Code.E_SCHEMA, "data.enterprise.uscc")),
        ("enterprise.uscc", "", (Code.E_USCC_LENGTH, "data.enterprise.uscc")),
        ("authority.uscc", "11150300M0000L112K", (Code.E_USCC_CHECKSUM, "data.authority.uscc")),
        ("authority.region", "15030", (Code.E_SCHEMA, "data.authority.region")),
        ("authority.region", 150300, (Code.E_SCHEMA, "data.authority.region")),
        ("dimensions", [], (Code.E_SCHEMA, "data.dimensions")),
        ("dimensions", "ENERGY", (Code.E_SCHEMA, "data.dimensions")),
        ("dimensions", ["ENERGY", "NOISE"], (Code.E_UNKNOWN_VALUE, "data.dimensions")),
        ("dimensions", ["ENERGY", 5], (Code.E_SCHEMA, "data.dimensions[1]")),
        ("failure_reason", "F99", (Code.E_UNKNOWN_VALUE, "data.failure_reason")),
        ("bases", ..., (Code.E_BASIS_MISSING, "data.bases")),
        ("bases", [], (Code.E_BASIS_MISSING, "data.bases")),
        ("bases", None, (Code.E_BASIS_MISSING, "data.bases")),
        ("bases", "国发〔2010〕7号", (Code.E_SCHEMA, "data.bases")),
        ("bases.1.level", "GUESS", (Code.E_UNKNOWN_VALUE, "data.bases[1].level")),
        ("bases.2.basis", ..., (Code.E_SCHEMA, "data.bases[2].basis")),
        ("obligation.ordered_on", "2021-08-32", (Code.E_SCHEMA, "data.obligation.ordered_on")),
        ("obligation.ordered_on", "2021-8-27", (Code.E_SCHEMA, "data.obligation.ordered_on")),
        ("obligation.ordered_on", "20210827", (Code.E_SCHEMA, "data.obligation.ordered_on")),
        ("obligation.ordered_on", "2021-08-27T00:00:00", (Code.E_SCHEMA, "data.obligation.ordered_on")),
        ("obligation.ordered_on", 1630022400, (Code.E_SCHEMA, "data.obligation.ordered_on")),
        ("obligation.ordered_on", "9999-12-31", (Code.E_SCHEMA, "data.obligation.ordered_on")),
        ("obligation.base_months", 0, (Code.E_SCHEMA, "data.obligation.base_months")),
        ("obligation.base_months", "6", (Code.E_SCHEMA, "data.obligation.base_months")),
        ("obligation.base_months", 6.5, (Code.E_SCHEMA, "data.obligation.base_months")),
        ("obligation.base_months", True, (Code.E_SCHEMA, "data.obligation.base_months")),
        ("obligation.extension", {"doc_no": "一"}, (Code.E_SCHEMA, "data.obligation.extension.months")),
        ("capacity_items.0.capacity", "3.0", (Code.E_SCHEMA, "data.capacity_items[0].capacity")),
        ("capacity_items.0.capacity", -1, (Code.E_SCHEMA, "data.capacity_items[0].capacity")),
        (
            "capacity_items.0.catalog.class",
            "其他类",
            (Code.E_UNKNOWN_VALUE, "data.capacity_items[0].catalog.class"),
        ),
        ("disposal", ["D10", "D99"], (Code.E_UNKNOWN_VALUE, "data.disposal")),
        ("severity", "TERRIBLE", (Code.E_UNKNOWN_VALUE, "data.severity")),
        ("decision", {"doc_no": "一", "doc_type": "LISTING"}, (Code.E_SCHEMA, "data.decision.decided_on")),
        ("decision", {"doc_no": "一" * 129}, (Code.E_FIELD_TOO_LONG, "data.decision.doc_no")),
    ],
)
def test_each_flaw_is_named_where_it_is(
    case: Callable[[str], Event], path: str, value: object, expected: tuple[Code, str]
) -> None:
    event = case("evt-0001")
    put(event["data"], path, value)
    reading = read(event)
    assert expected in said(reading)
    assert {code for code, _ in said(reading)} <= {expected[0], Code.E_SCHEMA}


@pytest.mark.parametrize("data", [None, [], "text", 5, True])
def test_data_that_is_no_object_is_refused(data: object) -> None:
    reading = read_data(OVERDUE, data)
    assert said(reading) == {(Code.E_SCHEMA, "data")}
    assert reading.data is None


def test_all_problems_are_found_together(case: Callable[[str], Event]) -> None:
    event = case("evt-0001")
    data = event["data"]
    data["enterprise"]["uscc"] = "91150303M0000B0270"
    data["dimensions"] = ["NOISE"]
    data["obligation"]["ordered_on"] = "yesterday"
    data["bases"] = []
    data["authority"]["name"] = "局" * 300
    assert said(read(event)) == {
        (Code.E_USCC_CHECKSUM, "data.enterprise.uscc"),
        (Code.E_UNKNOWN_VALUE, "data.dimensions"),
        (Code.E_SCHEMA, "data.obligation.ordered_on"),
        (Code.E_BASIS_MISSING, "data.bases"),
        (Code.E_FIELD_TOO_LONG, "data.authority.name"),
    }


def test_what_is_sound_of_flawed_data_can_still_be_read(case: Callable[[str], Event]) -> None:
    event = case("evt-0003")
    data = event["data"]
    data["bases"][2]["level"] = "GUESS"
    data["decision"]["notice"]["served_on"] = "never"
    del data["enterprise"]["name"]
    reading = read(event)
    partial = reading.data
    assert isinstance(partial, ListingDecided)
    assert vars(partial)["bases"] is None
    assert partial.decision.decided_on == date(2022, 7, 15)
    assert partial.decision.notice is not None
    assert partial.decision.notice.defence == "WAIVED"
    assert partial.enterprise.uscc == "91150304M0000P148F"
    assert partial.dimensions == ("ENV", "INDUSTRIAL_POLICY", "SAFETY")
    assert {"data.bases", "data.decision.notice.served_on", "data.enterprise.name"} <= reading.invalid


def test_codes_are_stored_normalised_wherever_they_stand(case: Callable[[str], Event]) -> None:
    event = case("evt-0003")
    data = event["data"]
    data["enterprise"]["uscc"] = "91150304m0000p148f"
    data["authority"]["uscc"] = "1115 0300 M000 0L11 2J"
    data["co_authorities"][1]["uscc"] = "11150300-M0000U184J"
    before = repr(event)
    reading = read(event)
    assert reading.findings == []
    assert [(warning.code, warning.field) for warning in reading.warnings] == [
        (Code.W_USCC_NORMALISED, "data.enterprise.uscc"),
        (Code.W_USCC_NORMALISED, "data.authority.uscc"),
        (Code.W_USCC_NORMALISED, "data.co_authorities[1].uscc"),
    ]
    assert reading.data == read(case("evt-0003")).data
    assert repr(event) == before


def test_a_persons_name_is_never_repeated_in_a_finding(case: Callable[[str], Event]) -> None:
    event = case("evt-0001")
    event["data"]["enterprise"]["legal_rep"] = 110101199003070000
    (finding,) = read(event).findings
    assert finding == Finding(
        Code.E_SCHEMA, "data.enterprise.legal_rep", None, "Input should be a valid string"
    )


def test_the_unknown_value_and_the_known_ones_are_given(case: Callable[[str], Event]) -> None:
    event = case("evt-0001")
    event["data"]["failure_reason"] = "F08"
    (finding,) = read(event).findings
    assert finding.value == "F08"
    assert "'F07'" in str(finding.expected)


def test_a_flood_of_flaws_stays_a_small_verdict_that_says_so(case: Callable[[str], Event]) -> None:
    event = case("evt-0001")
    event["data"]["bases"] = [{"level": "GUESS"} for _ in range(900)]
    event["data"]["severity"] = "TERRIBLE"
    event["data"]["authority"]["name"] = "局" * 300
    reading = read(event)
    assert len(reading.findings) <= MOST_FINDINGS + 3
    assert {finding.code for finding in reading.findings} == {
        Code.E_SCHEMA,
        Code.E_UNKNOWN_VALUE,
        Code.E_FIELD_TOO_LONG,
    }
    assert reading.findings[-1].value == 1802


def test_a_list_without_end_is_one_flaw(case: Callable[[str], Event]) -> None:
    event = case("evt-0001")
    event["data"]["disposal"] = ["D99"] * 100_000
    assert len(read(event).findings) <= MOST_FINDINGS + 1


plain = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30)
anything = st.recursive(
    plain | st.just("2022-02-28"),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
    max_leaves=12,
)
places = [
    "case_id",
    "record_uid",
    "severity",
    "record_class",
    "failure_reason",
    "dimensions",
    "disposal",
    "enterprise",
    "enterprise.name",
    "enterprise.uscc",
    "enterprise.industry",
    "authority",
    "authority.uscc",
    "authority.region",
    "co_authorities",
    "co_authorities.0",
    "co_authorities.0.uscc",
    "bases",
    "bases.0",
    "obligation",
    "capacity_items",
    "capacity_items.0",
    "capacity_items.0.catalog",
    "decision",
    "decision.doc_no",
    "decision.decided_on",
    "decision.document_sm3",
    "decision.notice",
    "decision.notice.served_on",
]


@given(st.lists(st.tuples(st.sampled_from(places), anything), min_size=1, max_size=4))
def test_nothing_that_stands_in_the_data_raises(
    case: Callable[[str], Event], changes: list[tuple[str, object]]
) -> None:
    event = case("evt-0003")
    for path, value in changes:
        try:
            put(event["data"], path, value)
        except (TypeError, KeyError, IndexError, AttributeError):
            continue  # an earlier change took the place away
    reading = read(event)
    assert isinstance(reading.data, ListingDecided)
    assert bool(reading.invalid) == bool(reading.findings)
    if not reading.findings:
        reading.data.known()
