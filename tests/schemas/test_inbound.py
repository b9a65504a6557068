"""A whole message: envelope, data and one subject, with all that is wrong found together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.codes import Code
from schemas.events import CapacityExitOverdue, DecisionRevoked
from schemas.inbound import InboundEvent, read_event

if TYPE_CHECKING:
    from collections.abc import Callable

Event = dict[str, Any]
OTHER = "91150302M0000A016M"


def read(event: Event, key: str | None = None) -> InboundEvent:
    return read_event([], None if key is None else key.encode(), orjson.dumps(event))


def said(event: InboundEvent) -> set[tuple[Code, str | None]]:
    return {(finding.code, finding.field) for finding in event.findings}


def test_a_good_message_is_flat_and_typed(case: Callable[[str], Event]) -> None:
    event = read(case("evt-0001"), "91150303M0000B027F")
    assert isinstance(event.data, CapacityExitOverdue)
    assert (event.id, event.subject) == ("evt-0001", "91150303M0000B027F")
    assert event.time is not None
    assert (event.findings, event.warnings, event.invalid) == ([], [], frozenset())
    assert event.sound("time", "subject", "data.obligation.due_on")


def test_an_unreadable_message_is_still_an_event_to_judge() -> None:
    event = read_event([], None, b"\xff")
    assert (event.id, event.source, event.type, event.data) == ("", "", "", None)
    assert {finding.code for finding in event.findings} == {Code.E_NOT_JSON}
    assert read_event([], None, b"{}" * 50, max_bytes=99).findings[0].code is Code.E_NOT_JSON


def test_a_wrong_code_in_subject_and_data_is_one_problem(case: Callable[[str], Event]) -> None:
    event = read(case("evt-0004"), "WH-2021-0023")
    assert said(event) == {(Code.E_USCC_CHECKSUM, "data.enterprise.uscc")}
    assert not event.sound("subject")
    assert event.subject == "91150303M0000B0270"


def test_subject_data_and_key_agree_after_normalising(case: Callable[[str], Event]) -> None:
    made = case("evt-0001")
    made["subject"] = "91150303m0000b027f"
    event = read(made, " 91150303M0000B027F")
    assert (event.findings, event.subject) == ([], "91150303M0000B027F")
    assert event.warnings == []
    made["data"]["enterprise"]["uscc"] = "9115-0303M0000B027F"
    assert [warning.field for warning in read(made).warnings] == ["data.enterprise.uscc"]


def test_disagreement_is_named_where_it_is(case: Callable[[str], Event]) -> None:
    assert said(read(case("evt-0001") | {"subject": OTHER})) == {(Code.E_SUBJECT_MISMATCH, "subject")}
    assert said(read(case("evt-0001"), OTHER)) == {(Code.E_SUBJECT_MISMATCH, "key")}
    assert said(read(case("evt-0001"), "WH-2021-0007")) == {(Code.E_SUBJECT_MISMATCH, "key")}
    assert said(read(case("evt-0009a"), OTHER)) == {(Code.E_SUBJECT_MISMATCH, "key")}


def test_a_subject_that_is_no_code_is_refused_and_compared_with_nothing(
    case: Callable[[str], Event],
) -> None:
    event = read(case("evt-0001") | {"subject": "91150303M0000B027G"}, "anything")
    assert said(event) == {(Code.E_USCC_CHECKSUM, "subject")}
    event = read(case("evt-0001") | {"subject": None})
    assert said(event) == {(Code.E_SCHEMA, "subject")}


def test_a_revocation_has_its_subject_from_the_envelope_alone(case: Callable[[str], Event]) -> None:
    made = case("evt-0009a")
    made["subject"] = "91320481m0000j096b"
    event = read(made)
    assert isinstance(event.data, DecisionRevoked)
    assert event.subject == "91320481M0000J096B"
    assert [(w.code, w.field) for w in event.warnings] == [(Code.W_USCC_NORMALISED, "subject")]


def test_problems_of_envelope_and_data_are_found_together(case: Callable[[str], Event]) -> None:
    made = case("evt-0001")
    del made["time"]
    made["data"]["authority"]["uscc"] = "11150300M0000L112K"
    made["data"]["bases"] = []
    made["subject"] = OTHER
    event = read(made)
    assert said(event) == {
        (Code.E_SCHEMA, "time"),
        (Code.E_USCC_CHECKSUM, "data.authority.uscc"),
        (Code.E_BASIS_MISSING, "data.bases"),
        (Code.E_SUBJECT_MISMATCH, "subject"),
    }
    assert not event.sound("time")
    assert event.sound("data.obligation", "data.dimensions", "data.enterprise")


def test_sound_means_nothing_invalid_inside_or_around(case: Callable[[str], Event]) -> None:
    made = case("evt-0003")
    made["data"]["decision"]["notice"]["served_on"] = "never"
    made["data"]["capacity_items"][0]["catalog"]["class"] = "?"
    event = read(made)
    assert not event.sound("data.decision.notice.served_on")
    assert not event.sound("data.decision.notice")
    assert not event.sound("data.decision")
    assert not event.sound("data")
    assert not event.sound("data.capacity_items")
    assert event.sound("data.decision.decided_on", "data.decision.notice.defence", "data.disposal")
    assert event.sound("data.decision.notice.served")
    assert not event.sound("data.disposal", "data.decision")


def test_an_unknown_type_is_one_problem(case: Callable[[str], Event]) -> None:
    event = read(case("evt-0001") | {"type": "cn.capacity-exit.publicity.expired", "subject": "150300"})
    assert said(event) == {(Code.E_UNKNOWN_TYPE, "type")}
    assert event.data is None
    assert not event.sound("data.enterprise")


@pytest.mark.parametrize("type_", [None, 5, ""])
def test_without_a_type_nothing_of_the_data_is_judged(case: Callable[[str], Event], type_: object) -> None:
    event = read(case("evt-0004") | {"type": type_})
    assert said(event) == {(Code.E_SCHEMA, "type")}
    assert not event.sound("data.enterprise")


@given(st.binary(max_size=200), st.binary(max_size=20) | st.none())
def test_no_bytes_raise(value: bytes, key: bytes | None) -> None:
    assert read_event([("ce_id", key or b"")], key, value).findings


@given(st.data())
def test_no_damage_to_a_message_raises(case: Callable[[str], Event], data: st.DataObject) -> None:
    value = orjson.dumps(case("evt-0003"))
    start = data.draw(st.integers(0, len(value) - 1))
    cut = data.draw(st.integers(0, 40))
    read_event(
        [], b"91150304M0000P148F", value[:start] + data.draw(st.binary(max_size=9)) + value[start + cut :]
    )
