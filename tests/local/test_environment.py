"""What each process of a stack is told, and what it is not told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from liancheng.local.environment import Topics, Wiring, as_variables, process_environment
from schemas.database import roles

if TYPE_CHECKING:
    from pathlib import Path

    from liancheng.local.environment import Audience

DSNS = {role: f"postgresql://{role}:{role}-password@127.0.0.1/x" for role in roles.ROLES}
WIRING = Wiring(DSNS, "127.0.0.1:9092", Topics(events="e", verdicts="v", group="g"), "key")
KAFKA = {
    "LIANCHENG_KAFKA_BOOTSTRAP": "127.0.0.1:9092",
    "LIANCHENG_KAFKA_EVENTS_TOPIC": "e",
    "LIANCHENG_KAFKA_VERDICTS_TOPIC": "v",
    "LIANCHENG_KAFKA_GROUP": "g",
}


@pytest.mark.parametrize(
    ("audience", "urls", "kafka"),
    [
        ("broker", {"BROKER", "API"}, KAFKA),
        ("publisher", {"PUBLISHER"}, {}),
        ("operator", {"MIGRATOR", "BROKER", "PUBLISHER", "API"}, KAFKA),
    ],
)
def test_each_knows_its_own_roles_only(audience: Audience, urls: set[str], kafka: dict[str, str]) -> None:
    expected = {f"LIANCHENG_{name}_DATABASE_URL": DSNS[f"liancheng_{name.lower()}"] for name in urls}
    assert WIRING.variables(audience) == expected | kafka | {"LIANCHENG_DATA_KEY": "key"}


def test_settings_become_text_as_pydantic_reads_it(tmp_path: Path) -> None:
    settings = {"a": True, "b": 1.5, "c": {"d": ["x"]}, "e": ("y",), "f": tmp_path, "g": None, "h": "z"}
    assert as_variables("P_", settings) == {
        "P_A": "true",
        "P_B": "1.5",
        "P_C": '{"d":["x"]}',
        "P_E": '["y"]',
        "P_F": str(tmp_path),
        "P_H": "z",
    }


def test_settings_of_this_process_are_not_handed_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LIANCHENG_BATCH_EVENTS", "1")
    monkeypatch.setenv("LIANCHENG_CACHE", "/cache")
    monkeypatch.setenv("OTHER", "kept")
    environment = process_environment({"LIANCHENG_LOG_LEVEL": "DEBUG"}, tmp_path / "none")
    assert {name: value for name, value in environment.items() if name.startswith("LIANCHENG_")} == {
        "LIANCHENG_CACHE": "/cache",
        "LIANCHENG_SECRETS_DIR": str(tmp_path / "none"),
        "LIANCHENG_LOG_LEVEL": "DEBUG",
    }
    assert environment["OTHER"] == "kept"
