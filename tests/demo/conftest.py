from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from liancheng.demo.expectations import Expectations, read_destinations, read_expectations
from tests.demo.perfect import perfect

if TYPE_CHECKING:
    from liancheng.demo.observation import Observation


@pytest.fixture
def expectations() -> Expectations:
    """Those of the demo itself."""
    return read_expectations()


@pytest.fixture
def seen(expectations: Expectations) -> Observation:
    """All as expected, at the nine receivers."""
    return perfect(expectations, [entry["code"] for entry in read_destinations()])
