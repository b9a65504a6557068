"""Codes as people read them: 中文 first, the code beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from schemas.catalogue.terms import terms
from schemas.codes import Code

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_SHORT_UID = 6


def term(table: str, code: str | None) -> str:
    """`列入 LISTED`; the bare code where the table lacks it."""
    if code is None:
        return "-"
    known = terms(table).get(code)
    return f"{known.zh} {code}" if known else code


def findings(found: Iterable[Mapping[str, Any]]) -> list[str]:
    """`E_USCC_CHECKSUM 统一社会信用代码校验码不符` of each."""
    return [f"{finding['code']} {Code(finding['code']).text('zh')}" for finding in found]


def short(record_uid: str) -> str:
    """The end of a record's uid: what differs within one run."""
    return f"…{record_uid[-_SHORT_UID:]}"
