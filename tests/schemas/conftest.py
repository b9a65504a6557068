"""The worked cases, as events that a test may change."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

TESTS = Path(__file__).parents[1]
Event = dict[str, Any]


@pytest.fixture(scope="session")
def _cases() -> dict[str, Event]:
    lines = TESTS.joinpath("data", "cases.ndjson").read_text("utf-8").splitlines()
    return {case["event"]["id"]: case["event"] for case in map(json.loads, lines)}


@pytest.fixture(scope="session")
def case(_cases: dict[str, Event]) -> Callable[[str], Event]:
    """The event of a worked case, by its id: a new copy at every call."""
    return lambda name: copy.deepcopy(_cases[name])


@pytest.fixture
def cases(_cases: dict[str, Event]) -> dict[str, Event]:
    """All worked cases, by event id."""
    return copy.deepcopy(_cases)
