"""Messages as producers send them, and as they should not."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from schemas.cloudevent import (
    MAX_ATTRIBUTE_LENGTH,
    MAX_EVENT_BYTES,
    EventEnvelope,
    read_cloudevent,
    write_cloudevent,
    write_stored,
)
from schemas.codes import Code, Finding

if TYPE_CHECKING:
    from collections.abc import Callable

Event = dict[str, Any]
STRUCTURED = [("content-type", b"application/cloudevents+json; charset=UTF-8")]
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
SHANGHAI = timezone(timedelta(hours=8))


def envelope(event: Event, headers: Any = STRUCTURED, key: bytes | None = None) -> EventEnvelope:
    found = read_cloudevent(headers, key, json.dumps(event).encode())
    assert isinstance(found, EventEnvelope)
    return found


def no_event(value: bytes | None, **options: Any) -> Finding:
    found = read_cloudevent([], None, value, **options)
    assert isinstance(found, list)
    (finding,) = found
    return finding


def test_a_structured_message_is_read_whole(case: Callable[[str], Event]) -> None:
    event = case("evt-0001")
    found = envelope(event, key=b"91150303M0000B027F")
    assert found == EventEnvelope(
        "evt-0001",
        "//wuhai/miit/exit-case",
        "cn.capacity-exit.capacity.exit.overdue",
        "91150303M0000B027F",
        datetime(2022, 3, 1, 9, 12, tzinfo=SHANGHAI),
        event["data"],
        "91150303M0000B027F",
    )


def test_both_modes_as_the_sdk_writes_them_read_alike(cases: dict[str, Event]) -> None:
    for event in cases.values():
        parts = {name: event[name] for name in ("id", "source", "type", "subject", "data")}
        time = datetime.fromisoformat(event["time"])
        structured, binary = (write_cloudevent(**parts, time=time, binary=mode) for mode in (False, True))
        assert structured[1] == binary[1] == event["subject"].encode()
        assert read_cloudevent(*structured) == read_cloudevent(*binary)
        assert envelope(event, key=structured[1]) == read_cloudevent(*structured)


@pytest.mark.parametrize("value", [None, b""])
def test_an_empty_message_is_no_event(value: bytes | None) -> None:
    assert (no_event(value).code, no_event(value).value) == (Code.E_NOT_JSON, "empty")


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (b"not json", "not JSON at line 1 column 1"),
        (b'{"id":\n oops}', "not JSON at line 2 column 2"),
        (b'{"id": "\xff\xfe"}', "not UTF-8 at byte 8"),
        (b'{"a": NaN}', "not JSON at line 1 column 7"),
        (b'{"a": "\\ud800"}', "not JSON at line 1 column 8"),
        ("{}".encode("utf-16"), "not UTF-8 at byte 0"),
        (b"[" * 100_000, "not JSON at line 1 column"),
    ],
)
def test_what_is_no_json_says_where(value: bytes, why: str) -> None:
    finding = no_event(value)
    assert finding.code is Code.E_NOT_JSON
    assert str(finding.value).startswith(why)


def test_a_message_too_large_is_refused_by_its_size_alone() -> None:
    finding = no_event(b"x" * (MAX_EVENT_BYTES + 1))
    assert (finding.code, finding.value) == (Code.E_NOT_JSON, f"{MAX_EVENT_BYTES + 1} bytes")
    assert no_event(b"{}   ", max_bytes=4).expected == "at most 4 bytes"


@pytest.mark.parametrize(
    ("value", "kind"), [(b"[]", "array"), (b'"x"', "string"), (b"null", "null"), (b"1", "number")]
)
def test_json_that_is_no_object_is_no_event(value: bytes, kind: str) -> None:
    assert no_event(value) == Finding(Code.E_SCHEMA, "message", kind, "object")


@pytest.mark.parametrize("name", ["id", "source", "type", "specversion", "time"])
@pytest.mark.parametrize("value", [..., None, "", 5, ["x"], {"x": 1}])
def test_each_required_attribute_is_named(case: Callable[[str], Event], name: str, value: object) -> None:
    event = case("evt-0001")
    event[name] = value
    if value is ...:
        del event[name]
    found = envelope(event)
    assert [(finding.code, finding.field) for finding in found.findings] == [(Code.E_SCHEMA, name)]
    assert {found.id, found.source, found.type} >= {event[kept] for kept in {"id", "source", "type"} - {name}}


@pytest.mark.parametrize(
    "text",
    [
        "2022-03-01T09:12:00+08:00",
        "2022-03-01T01:12:00Z",
        "2022-03-01t01:12:00z",
        "2022-03-01T09:12+08:00",
        "2022-03-01T01:12:00.000000000Z",
        "2022-03-01T01:12:00-00:00",
    ],
)
def test_times_of_all_producers_are_the_same_instant(case: Callable[[str], Event], text: str) -> None:
    found = envelope(case("evt-0001") | {"time": text})
    assert found.findings == ()
    assert found.time == datetime(2022, 3, 1, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2022-03-01",
        "2022-03-01T09:12:00",
        "2022-02-29T00:00:00Z",
        "2022-03-01T25:00:00Z",
        "2016-12-31T23:59:60Z",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-12:00",
        "1646097120",
    ],
)
def test_a_time_that_is_none_is_refused(case: Callable[[str], Event], text: str) -> None:
    found = envelope(case("evt-0001") | {"time": text})
    assert [finding.field for finding in found.findings] == ["time"]
    assert found.findings[0].value == text
    assert found.time is None


def test_all_wrong_attributes_are_found_together() -> None:
    found = envelope({"specversion": "0.3", "source": 1, "type": "t", "id": "x" * 301, "subject": []})
    assert {(finding.code, finding.field) for finding in found.findings} == {
        (Code.E_SCHEMA, "specversion"),
        (Code.E_SCHEMA, "source"),
        (Code.E_FIELD_TOO_LONG, "id"),
        (Code.E_SCHEMA, "subject"),
        (Code.E_SCHEMA, "time"),
    }
    assert (found.id, found.source, found.type, found.subject) == ("", "", "t", None)


def test_the_longest_key_fits_a_postgresql_index_entry() -> None:
    assert 2 * MAX_ATTRIBUTE_LENGTH * len("😀".encode()) < 2704


def test_nul_is_refused_wherever_it_stands(case: Callable[[str], Event]) -> None:
    event = case("evt-0001")
    event["id"] = "a\0b"
    event["data"]["enterprise"]["name"] = "\0"
    event["data"]["unknown"] = [{"k\0": 1}]
    found = envelope(event)
    assert {finding.field for finding in found.findings} == {"id", "data.enterprise.name", "data.unknown[0]"}
    assert all("\0" not in str(finding.value) for finding in found.findings)


def test_a_backslash_before_u0000_is_no_nul(case: Callable[[str], Event]) -> None:
    event = case("evt-0001")
    event["data"]["note"] = "\\u0000"
    assert envelope(event).findings == ()


def test_the_trace_comes_from_the_data_the_extension_or_the_header(case: Callable[[str], Event]) -> None:
    event = case("evt-0001")
    by_header = envelope(event, [*STRUCTURED, ("traceparent", TRACEPARENT.encode())])
    by_extension = envelope(event | {"traceparent": TRACEPARENT})
    for found in (by_header, by_extension):
        assert (found.trace_id, found.traceparent) == (TRACEPARENT[3:35], TRACEPARENT)
    event["data"]["trace_id"] = "own"
    assert envelope(event, [("traceparent", TRACEPARENT.encode())]).trace_id == "own"
    event["data"]["trace_id"] = 5
    assert envelope(event, [("traceparent", b"\xff")]).trace_id is None
    assert envelope(event | {"traceparent": ["nonsense"]}).traceparent is None


def test_data_in_base64_is_read(case: Callable[[str], Event]) -> None:
    event = case("evt-0001")
    data = event.pop("data")
    encoded = base64.b64encode(orjson.dumps(data)).decode()
    assert envelope(event | {"data_base64": encoded}).data == data
    for wrong in ("%%%", 5, base64.b64encode(b"no json").decode(), "名"):
        found = envelope(event | {"data_base64": wrong})
        assert [finding.field for finding in found.findings] == ["data_base64"]


def test_binary_mode_names_a_header_that_is_no_text_and_a_body_that_is_no_json() -> None:
    headers = [
        ("ce_specversion", b"1.0"),
        ("ce_id", b"\xff"),
        ("ce_type", None),
        ("content-type", b"text/plain"),
    ]
    found = read_cloudevent([*headers, ("id", b"not-this"), ("CE_Source", b"//s")], b"\xff", b"{}")
    assert isinstance(found, EventEnvelope)
    assert {finding.field for finding in found.findings} == {"id", "type", "datacontenttype", "time"}
    assert (found.source, found.key) == ("//s", "\ufffd")


def test_the_content_type_decides_the_mode_before_the_headers_do(case: Callable[[str], Event]) -> None:
    found = envelope(case("evt-0001"), [*STRUCTURED, ("ce_id", b"other")])
    assert (found.id, found.findings) == ("evt-0001", ())


def test_stored_data_is_written_as_the_sdk_would_read_it() -> None:
    data = {"verdict": "ACCEPTED", "text": "名称", "none": None}
    time = datetime(2022, 3, 1, 9, 12, 0, 123456, tzinfo=SHANGHAI)
    for subject in ("91150303M0000B027F", None):
        parts = {"id": "v-1", "source": "//liancheng", "type": "t", "subject": subject, "time": time}
        stored = write_stored(**parts, data=orjson.dumps(data))  # type: ignore[arg-type]
        by_sdk = write_cloudevent(**parts, data=data)  # type: ignore[arg-type]
        assert stored[:2] == by_sdk[:2]
        assert read_cloudevent(*stored) == read_cloudevent(*by_sdk)
        assert b'"time":"2022-03-01T01:12:00.123456Z"' in stored[2]
