"""The code table of verdicts: what can be found wrong, or worth a warning, in an event.

The codes are the contract (none is ever renamed); their texts are data, in `catalogue/codes.toml`.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Literal

Scalar = str | int | float | bool | None
"""What a finding may carry: short, and never a personal identifier."""


class Code(StrEnum):
    """`E_…` refuses, holds or conflicts, as the verdict beside it says; `W_…` only warns."""

    E_NOT_JSON = "E_NOT_JSON"
    E_SCHEMA = "E_SCHEMA"
    E_UNKNOWN_TYPE = "E_UNKNOWN_TYPE"
    E_UNKNOWN_VALUE = "E_UNKNOWN_VALUE"
    E_USCC_LENGTH = "E_USCC_LENGTH"
    E_USCC_ALPHABET = "E_USCC_ALPHABET"
    E_USCC_CHECKSUM = "E_USCC_CHECKSUM"
    E_SUBJECT_MISMATCH = "E_SUBJECT_MISMATCH"
    E_NO_PROFILE = "E_NO_PROFILE"
    E_DIMENSION_NOT_IN_PROFILE = "E_DIMENSION_NOT_IN_PROFILE"
    E_NO_DUE_DATE = "E_NO_DUE_DATE"
    E_DUE_DATE_MISMATCH = "E_DUE_DATE_MISMATCH"
    E_NOT_YET_DUE = "E_NOT_YET_DUE"
    E_EXTENSION_TOO_LONG = "E_EXTENSION_TOO_LONG"
    E_EXTENSION_NOT_ALLOWED = "E_EXTENSION_NOT_ALLOWED"
    E_EXTENSION_LATE = "E_EXTENSION_LATE"
    E_BASIS_MISSING = "E_BASIS_MISSING"
    E_BASIS_INSUFFICIENT = "E_BASIS_INSUFFICIENT"
    E_BASIS_DRAFT_ONLY = "E_BASIS_DRAFT_ONLY"
    E_NO_NOTICE = "E_NO_NOTICE"
    E_DEFENCE_OPEN = "E_DEFENCE_OPEN"
    E_DATES_ORDER = "E_DATES_ORDER"
    E_NOT_IN_CATALOGUE = "E_NOT_IN_CATALOGUE"
    E_MIN_PUBLICITY = "E_MIN_PUBLICITY"
    E_NO_PLEDGE = "E_NO_PLEDGE"
    E_DUTY_NOT_FULFILLED = "E_DUTY_NOT_FULFILLED"
    E_NO_RECORD = "E_NO_RECORD"
    E_LINK_CONFLICT = "E_LINK_CONFLICT"
    E_CONFLICTING_DUPLICATE = "E_CONFLICTING_DUPLICATE"
    E_STATE = "E_STATE"
    E_FIELD_TOO_LONG = "E_FIELD_TOO_LONG"
    E_UNJUDGED = "E_UNJUDGED"
    W_DISPOSAL_INCOMPLETE = "W_DISPOSAL_INCOMPLETE"
    W_USCC_INNER_CHECK = "W_USCC_INNER_CHECK"
    W_USCC_NORMALISED = "W_USCC_NORMALISED"
    W_USCC_LOOKS_LIKE_ID = "W_USCC_LOOKS_LIKE_ID"
    W_CALENDAR_PROVISIONAL = "W_CALENDAR_PROVISIONAL"
    W_REGION_ABOLISHED = "W_REGION_ABOLISHED"
    W_BASIS_LEVEL = "W_BASIS_LEVEL"
    W_BASIS_UNKNOWN = "W_BASIS_UNKNOWN"
    W_NO_APPROVAL = "W_NO_APPROVAL"
    W_NO_REPAIR_NOTICE = "W_NO_REPAIR_NOTICE"
    W_STAT_YEAR = "W_STAT_YEAR"
    W_INDUSTRY_UNMAPPED = "W_INDUSTRY_UNMAPPED"
    W_SEVERITY_RAISED = "W_SEVERITY_RAISED"

    @property
    def warns(self) -> bool:
        return self.value.startswith("W_")

    def text(self, language: Literal["zh", "en"] = "en") -> str:
        """The sentence shown to people."""
        return _texts()[self.value][language]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found: where (dotted path from the event's root, `data.bases[1].level`), what stood there,
    and what was expected. The three are left out where they would say nothing or would repeat personal
    data.
    """

    code: Code
    field: str | None = None
    value: Scalar = None
    expected: Scalar = None

    def at(self, field: str) -> Finding:
        """The same finding at another place."""
        return replace(self, field=field)

    def as_dict(self) -> dict[str, Scalar]:
        """The shape in a verdict: always all four keys."""
        return {"code": self.code.value, "field": self.field, "value": self.value, "expected": self.expected}


@cache
def _texts() -> dict[str, dict[str, str]]:
    table = tomllib.loads(Path(__file__).with_name("catalogue").joinpath("codes.toml").read_text("utf-8"))
    codes: dict[str, dict[str, str]] = table["codes"]
    return codes
