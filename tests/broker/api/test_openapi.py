"""The OpenAPI document: as checked in, complete, and without references into nothing."""

from __future__ import annotations

import re
from typing import Any

import orjson

from services.broker.api.app import routes
from services.broker.api.openapi import FILE, main, openapi_bytes, openapi_document


def test_the_file_is_what_the_routes_say() -> None:
    assert FILE.read_bytes() == openapi_bytes(), "run: python -m services.broker.api.openapi"
    assert main(["--check"]) == 0


def test_every_operation_names_its_answers_its_problems_and_its_key() -> None:
    document: dict[str, Any] = openapi_document(routes())
    assert document["openapi"].startswith("3.1")
    for path, operations in document["paths"].items():
        for operation in operations.values():
            assert operation["summary"], path
            assert "200" in operation["responses"], path
            if operation["security"]:
                assert {"401", "403", "422", "503"} <= operation["responses"].keys(), path
            problems = [
                content
                for status, answer in operation["responses"].items()
                for content in answer.get("content", {})
                if status >= "400" and path not in {"/livez", "/readyz"}
            ]
            assert set(problems) <= {"application/problem+json"}, path


def test_every_reference_leads_somewhere() -> None:
    text = openapi_bytes().decode()
    schemas = orjson.loads(text)["components"]["schemas"]
    for name in re.findall(r'"#/components/schemas/([^"]+)"', text):
        assert name in schemas
