from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.simulator.harness import Simulator, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def simulator(tmp_path: Path) -> Iterator[Simulator]:
    with running(tmp_path / "simulator.sqlite3", seed=7) as started:
        yield started
