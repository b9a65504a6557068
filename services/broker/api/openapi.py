"""The OpenAPI document: `python -m services.broker.api.openapi [--check]` writes `schemas/openapi.json`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from services.broker.api.gate import is_public
from services.broker.api.models import Problem

if TYPE_CHECKING:
    from fastapi import FastAPI

FILE = Path(__file__).parents[3] / "schemas" / "openapi.json"
_KEY = {
    "type": "http",
    "scheme": "bearer",
    "bearerFormat": "lck_<key_id>_<secret>",
    "description": "An API key; its scopes and its grant of areas and regions decide what it may see.",
}


def openapi_document(app: FastAPI) -> dict[str, Any]:
    """FastAPI's document, with the problem document and the key that it cannot know of."""
    if app.openapi_schema is not None:
        return app.openapi_schema
    document = app.openapi()
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas |= {**problem.pop("$defs", {}), Problem.__name__: problem}
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    components["schemas"] = dict(sorted(schemas.items()))
    components["securitySchemes"] = {"apiKey": _KEY}
    for path, operations in document["paths"].items():
        for operation in operations.values():
            operation["security"] = [] if is_public(path) else [{"apiKey": []}]
    return document


def openapi_bytes() -> bytes:
    """The document as it is checked in."""
    from services.broker.api.app import routes  # noqa: PLC0415  the application imports this module

    return orjson.dumps(openapi_document(routes()), option=orjson.OPT_INDENT_2) + b"\n"


def main(arguments: list[str]) -> int:
    """Write the file; with `--check` only say whether it is up to date (exit code 1 if not)."""
    if "--check" in arguments:
        return 0 if FILE.is_file() and FILE.read_bytes() == openapi_bytes() else 1
    FILE.write_bytes(openapi_bytes())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
