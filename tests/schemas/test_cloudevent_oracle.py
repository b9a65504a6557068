"""The direct reader against the SDK's: the same accepted, the same read, in both modes."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_kafka
from cloudevents.core.formats.json import JSONFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.cloudevent import EventEnvelope, read_cloudevent

Attributes = dict[str, Any]
ATTRIBUTES = ("id", "source", "type", "subject", "time")

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
offsets = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
instants = st.datetimes(
    datetime.fromisoformat("1900-01-02"),
    datetime.fromisoformat("2999-12-30"),
    timezones=offsets | st.just(UTC),
)


def rendered(instant: datetime, style: int) -> str:
    text = instant.isoformat(timespec=("auto", "seconds", "milliseconds", "minutes")[style % 4])
    if style % 3 == 0:
        text = text.replace("+00:00", "Z")
    return text.lower() if style % 5 == 4 else text


times = st.builds(rendered, instants, st.integers(0, 59))
not_times = st.sampled_from(
    ["", "now", "2022-03-01", "2022-03-01T09:12:00", "2022-13-01T00:00:00Z", "2022-W09"]
)
numbers = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
json_values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


@st.composite
def attributes(draw: st.DrawFn, odd: st.SearchStrategy[Any]) -> Attributes:
    """An event's attributes, each good or now and then odd; id, time and specversion are always there."""
    good = {
        "specversion": st.just("1.0"),
        "id": texts.filter(bool),
        "source": texts.filter(bool),
        "type": texts.filter(bool),
        "time": times,
    }
    wrong = {
        **dict.fromkeys(good, odd),
        "time": not_times,
        "specversion": st.sampled_from(["", "1.1", "2.0"]),
    }
    made = {
        name: draw(wrong[name] if draw(st.integers(0, 19)) == 0 else strategy)
        for name, strategy in good.items()
    }
    if draw(st.integers(0, 29)) == 0:
        del made[draw(st.sampled_from(["source", "type"]))]
    if draw(st.booleans()):
        made["subject"] = draw(texts)
    if draw(st.booleans()):
        made["dataschema"] = "urn:cap-exit:schema:1"
    return made


def by_sdk(message: KafkaMessage) -> Attributes | None:
    try:
        event = from_kafka(message, JSONFormat())
    except Exception:  # noqa: BLE001 - whatever it raises means refused
        return None
    return {name: event.get_attributes().get(name) for name in ATTRIBUTES} | {"data": event.get_data()}


def by_us(message: KafkaMessage) -> Attributes | None:
    key = message.key.encode() if isinstance(message.key, str) else message.key
    found = read_cloudevent(list(message.headers.items()), key, message.value)
    if not isinstance(found, EventEnvelope) or found.findings:
        return None
    return {name: getattr(found, name) for name in ATTRIBUTES} | {"data": found.data}


@settings(max_examples=400)
@given(attributes(st.sampled_from(["", 5, True, []])), json_values, st.booleans())
def test_structured_mode(made: Attributes, data: Any, escaped: bool) -> None:
    value = json.dumps(made | {"data": data}, ensure_ascii=escaped).encode()
    message = KafkaMessage({"content-type": b"application/cloudevents+json"}, b"key", value)
    assert by_us(message) == by_sdk(message)


@settings(max_examples=400)
@given(
    attributes(st.just("")),
    json_values,
    st.sampled_from([None, "application/json", "text/json; charset=utf-8", "application/vnd.x.v1+json"]),
    st.booleans(),
)
def test_binary_mode(made: Attributes, data: Any, content_type: str | None, upper: bool) -> None:
    prefix = "CE_" if upper else "ce_"
    headers = {prefix + name: value.encode() for name, value in made.items()}
    if content_type:
        headers["Content-Type" if upper else "content-type"] = content_type.encode()
    message = KafkaMessage(headers, None, json.dumps(data).encode())
    assert by_us(message) == by_sdk(message)


@pytest.mark.parametrize("name", ["id", "time", "specversion"])
def test_what_the_sdk_invents_is_refused(name: str) -> None:
    made = {"specversion": "1.0", "id": "1", "source": "s", "type": "t", "time": "2022-03-01T00:00:00Z"}
    del made[name]
    message = KafkaMessage({}, None, json.dumps(made).encode())
    assert by_sdk(message) is not None
    assert by_us(message) is None
