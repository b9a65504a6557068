"""The checked-in JSON Schemas and examples are what the models say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import schemas
from schemas import generate
from schemas.cloudevent import EventEnvelope, read_cloudevent
from schemas.events import EVENT_TYPES, VerdictData
from schemas.inbound import read_event

if TYPE_CHECKING:
    from collections.abc import Iterator

EXAMPLES = Path(schemas.__path__[0], "examples")


def test_no_schema_has_drifted() -> None:
    assert generate.drift() == []


def test_drift_is_seen_whether_changed_missing_or_left_over(tmp_path: Path) -> None:
    generate.write(tmp_path)
    assert generate.drift(tmp_path) == []
    tmp_path.joinpath("profile.schema.json").write_text("{}")
    tmp_path.joinpath("record-body.schema.json").unlink()
    tmp_path.joinpath("left-over.json").write_text("{}")
    assert generate.drift(tmp_path) == ["left-over.json", "profile.schema.json", "record-body.schema.json"]
    generate.write(tmp_path)
    assert generate.drift(tmp_path) == []


def test_check_says_what_is_stale(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(generate.drift, "__defaults__", (tmp_path,))
    monkeypatch.setattr("sys.argv", ["generate", "--check"])
    assert generate.main() == 1
    assert "out of date: profile.schema.json" in capsys.readouterr().err
    monkeypatch.undo()
    monkeypatch.setattr("sys.argv", ["generate", "--check"])
    assert generate.main() == 0


def references(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        if "$ref" in schema:
            yield schema["$ref"]
        for value in schema.values():
            yield from references(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from references(value)


@pytest.mark.parametrize(("name", "schema"), generate.schemas().items())
def test_every_schema_names_its_dialect_and_resolves_all_references(
    name: str, schema: dict[str, Any]
) -> None:
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["$id"] == f"{generate.VERSION}:{name.removesuffix('.schema.json')}"
    assert {reference.removeprefix("#/$defs/") for reference in references(schema)} <= schema["$defs"].keys()


def test_every_event_type_has_an_example_that_reads_without_a_word() -> None:
    names = {path.name.removesuffix(".json") for path in EXAMPLES.glob("*.json")}
    assert names == {*EVENT_TYPES, VerdictData.event_type}
    for name in EVENT_TYPES:
        event = read_event([], None, EXAMPLES.joinpath(f"{name}.json").read_bytes())
        assert (event.type, event.findings, event.warnings) == (name, [], [])


def test_the_example_of_a_verdict_is_one() -> None:
    value = EXAMPLES.joinpath(f"{VerdictData.event_type}.json").read_bytes()
    envelope = read_cloudevent([], None, value)
    assert isinstance(envelope, EventEnvelope)
    assert envelope.findings == ()
    assert VerdictData.model_validate_json(json.dumps(envelope.data)).codes[0].expected == "F"
