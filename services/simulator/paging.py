"""Pages of a list: which part is asked for, and how it is answered."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import parse_qsl

DIGITS_MAX: Final = 18
"""Digits that always fit a 64-bit integer."""


class PageError(Exception):
    """A page that can't be served; the message names the parameter and what it takes."""


def asked(query: str, default: int, most: int) -> tuple[str, int]:
    """`after` (empty: from the start) and `limit` of a query string. Raises PageError."""
    parameters = dict(parse_qsl(query, keep_blank_values=True))
    if unknown := parameters.keys() - {"after", "limit"}:
        raise PageError(f"unknown parameter: {', '.join(sorted(unknown))}")
    limit = whole_number("limit", parameters.get("limit", str(default)))
    if not 1 <= limit <= most:
        raise PageError(f"limit: from 1 to {most}")
    return parameters.get("after", ""), limit


def whole_number(name: str, text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= DIGITS_MAX):
        raise PageError(f"{name}: a whole number")
    return int(text)


def page(found: list[dict[str, Any]], limit: int, key: str) -> dict[str, Any]:
    """`{items, next}` from up to `limit` + 1 found; `next` is the next page's `after`, null at the end."""
    items = found[:limit]
    return {"items": items, "next": items[-1][key] if len(found) > limit else None}
