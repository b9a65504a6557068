"""Write the JSON Schemas (2020-12) of everything that crosses a boundary: `python -m schemas.generate
[--check]`.
"""

from __future__ import annotations

import argparse
import json
import sys
from inspect import getdoc
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic.json_schema import GenerateJsonSchema

from schemas.catalogue.policy import Profile
from schemas.cloudevent import MAX_ATTRIBUTE_LENGTH
from schemas.events import EVENT_TYPES, VerdictData
from schemas.record import RecordBody

if TYPE_CHECKING:
    from pydantic import BaseModel

FOLDER = Path(__file__).with_name("json")
VERSION = "urn:cap-exit:schema:1"
"""The CloudEvents `dataschema` of this version of the contract; part of every `$id`."""


def schemas() -> dict[str, dict[str, Any]]:
    """Every schema by file name."""
    found = {
        f"{name}.schema.json": _event(name, model, subject_required=model.subject_kind == "uscc")
        for name, model in EVENT_TYPES.items()
    }
    verdict = VerdictData.event_type
    found[f"{verdict}.schema.json"] = _event(verdict, VerdictData, subject_required=False)
    found["record-body.schema.json"] = _alone("record-body", RecordBody)
    found["profile.schema.json"] = _alone("profile", Profile)
    return found


def drift(folder: Path = FOLDER) -> list[str]:
    """Names of files that are missing, left over or not what the models say."""
    wanted = {name: _text(schema) for name, schema in schemas().items()}
    present = {path.name: path.read_text("utf-8") for path in folder.glob("*.json")}
    return sorted(name for name in wanted.keys() | present.keys() if wanted.get(name) != present.get(name))


def write(folder: Path = FOLDER) -> None:
    """Write every schema and remove what no model makes any more."""
    folder.mkdir(exist_ok=True)
    wanted = schemas()
    for path in folder.glob("*.json"):
        if path.name not in wanted:
            path.unlink()
    for name, schema in wanted.items():
        folder.joinpath(name).write_text(_text(schema), "utf-8")


def _event(name: str, model: type[BaseModel], *, subject_required: bool) -> dict[str, Any]:
    """The whole CloudEvent in structured mode; in binary mode the attributes are headers and `data` is the
    value.
    """
    data = _schema(model)
    parts = data.pop("$defs", {})
    required = ["specversion", "id", "source", "type", "subject", "time", "data"]
    if not subject_required:
        required.remove("subject")
    attribute = {"type": "string", "minLength": 1, "maxLength": MAX_ATTRIBUTE_LENGTH}
    return {
        "$schema": GenerateJsonSchema.schema_dialect,
        "$id": f"{VERSION}:{name}",
        "title": name,
        "description": getdoc(model),
        "type": "object",
        "properties": {
            "specversion": {"const": "1.0"},
            "id": attribute,
            "source": {**attribute, "format": "uri-reference"},
            "type": {"const": name},
            "subject": {**attribute, "description": "USCC of the enterprise"},
            "time": {"type": "string", "format": "date-time"},
            "datacontenttype": {"const": "application/json"},
            "dataschema": {"type": "string", "format": "uri"},
            "data": data,
        },
        "required": required,
        "$defs": parts,
    }


def _alone(name: str, model: type[BaseModel]) -> dict[str, Any]:
    return {"$schema": GenerateJsonSchema.schema_dialect, "$id": f"{VERSION}:{name}", **_schema(model)}


def _schema(model: type[BaseModel]) -> dict[str, Any]:
    return model.model_json_schema(by_alias=True)


def _text(schema: dict[str, Any]) -> str:
    return json.dumps(schema, ensure_ascii=False, indent=2) + "\n"


def main() -> int:
    """Write the files, or with `--check` fail if they are not up to date."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="change nothing; exit 1 if a file is out of date"
    )
    if not parser.parse_args().check:
        write()
        return 0
    stale = drift()
    sys.stderr.writelines(f"out of date: {name} (run python -m schemas.generate)\n" for name in stale)
    return 1 if stale else 0


if __name__ == "__main__":
    raise SystemExit(main())
