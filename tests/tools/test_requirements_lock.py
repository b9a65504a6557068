"""requirements.lock: for every platform, with hashes, without addresses, and in step with pyproject.toml."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
LOCK = (ROOT / "requirements.lock").read_text()


def normalised(requirement: str) -> str:
    match = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert match
    return re.sub(r"[-_.]+", "-", match[0]).lower()


def test_it_holds_hashes_and_no_address() -> None:
    assert "://" not in LOCK
    pins = re.findall(r"^[a-z0-9._\[\],-]+==\S+.*$", LOCK, re.MULTILINE)
    assert len(pins) > 80
    assert all(pin.endswith("\\") for pin in pins), "a pin without hashes"


def test_everything_that_pyproject_names_is_locked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    named = [
        *project["project"]["dependencies"],
        *project["project"]["optional-dependencies"]["embedded"],
        *project["dependency-groups"]["dev"],
        *project["build-system"]["requires"],
    ]
    locked = set(re.findall(r"^([a-z0-9.-]+)(?:\[.*\])?==", LOCK, re.MULTILINE))
    assert {normalised(requirement) for requirement in named} <= locked
