"""The code tables of the contract, read once from the files beside this module.

They belong to the schemas: what an event may say is the same for every city. What a city does with it is
policy (`schemas.catalogue.load`).
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
_FILES = ("vocabulary", "dimensions", "reasons", "states", "lists", "agency_types")


@dataclass(frozen=True, slots=True)
class Term:
    """One row of a code table: the code as events have it, labels, and its other spellings."""

    code: str
    zh: str
    en: str
    spellings: tuple[str, ...] = ()
    in_force: bool = False
    terminal: bool = False
    historic: tuple[str, ...] = ()


@cache
def tables() -> dict[str, dict[str, Term]]:
    """All code tables by name (`dimensions`, `reasons`, `severities`, …), each by code, in the file's
    order.
    """
    found: dict[str, dict[str, Term]] = {}
    for name in _FILES:
        for table, rows in tomllib.loads(FOLDER.joinpath(f"{name}.toml").read_text("utf-8")).items():
            found[table] = {code: _term(code, row) for code, row in rows.items()}
    return found


def terms(table: str) -> dict[str, Term]:
    """One code table. Raises `KeyError` for a table that the catalogue lacks."""
    return tables()[table]


def _term(code: str, row: dict[str, Any]) -> Term:
    return Term(
        code,
        row["zh"],
        row["en"],
        tuple(row.get("spellings", ())),
        row.get("in_force", False),
        row.get("terminal", False),
        tuple(row.get("historic", ())),
    )
