"""The program that docs/audit.md gives to auditors, run as it stands there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.docs.pages import PAGES

if TYPE_CHECKING:
    from collections.abc import Callable

SEEN, UNSEEN = "seen, and not on the ledger", "accepted by the ledger, and not seen"
Entry = dict[str, Any]


@pytest.fixture(scope="module")
def compare() -> Callable[[list[Entry], list[tuple[str, str]]], dict[str, Any]]:
    (program,) = (content for language, content in PAGES["docs/audit.md"].fenced if language == "python")
    names: dict[str, Any] = {}
    exec(compile(program, "docs/audit.md", "exec"), names)  # noqa: S102  this repository's own text
    return names["compare"]  # type: ignore[no-any-return]


def entry(outcome: str, status: int | None = None, body: str | None = "b", number: int = 1) -> Entry:
    return {
        "kind": "SUPERSEDED" if outcome == "SUPERSEDED" else "ATTEMPT",
        "delivery_id": f"R.{number}.TAX",
        "outcome": outcome,
        "status": status,
        "request_sha256": body,
    }


ACCEPTED, REFUSED = entry("ACCEPTED", 200), entry("RETRYABLE", 503)
NOT_LEFT, LOST = entry("RETRYABLE"), entry("UNKNOWN", body=None)
ARRIVED = ("R.1.TAX", "b")


@pytest.mark.parametrize(
    ("entries", "arrivals"),
    [
        ([], []),
        ([ACCEPTED], [ARRIVED]),
        ([REFUSED, ACCEPTED], [ARRIVED, ARRIVED]),
        ([NOT_LEFT, ACCEPTED], [ARRIVED]),
        ([LOST, ACCEPTED], [ARRIVED]),
        ([LOST, ACCEPTED], [ARRIVED, ARRIVED]),
        ([NOT_LEFT, entry("SUPERSEDED")], []),
    ],
)
def test_two_books_that_agree(compare: Any, entries: list[Entry], arrivals: list[tuple[str, str]]) -> None:
    found = compare(entries, arrivals)
    assert not found[SEEN]
    assert not found[UNSEEN]


@pytest.mark.parametrize(
    ("entries", "arrivals", "seen", "unseen"),
    [
        ([], [ARRIVED], {"R.1.TAX": 1}, set()),
        ([ACCEPTED], [ARRIVED, ARRIVED], {"R.1.TAX": 1}, set()),
        ([NOT_LEFT], [ARRIVED], {"R.1.TAX": 1}, set()),
        ([entry("SUPERSEDED")], [ARRIVED], {"R.1.TAX": 1}, set()),
        ([ACCEPTED], [], {}, {ARRIVED}),
        ([ACCEPTED], [("R.1.TAX", "other bytes")], {}, {ARRIVED}),
    ],
)
def test_two_books_that_do_not(
    compare: Any,
    entries: list[Entry],
    arrivals: list[tuple[str, str]],
    seen: dict[str, int],
    unseen: set[tuple[str, str]],
) -> None:
    assert compare(entries, arrivals) == {SEEN: seen, UNSEEN: unseen}


def test_every_field_of_an_entry_is_explained() -> None:
    from services.broker.api.models_inside import LedgerEntryShown

    rows = PAGES["docs/audit.md"].table("field")
    explained = {name.strip("` ") for row in rows for name in row[0].split(",")}
    assert explained | {"entry_id", "kind"} == set(LedgerEntryShown.model_fields)
