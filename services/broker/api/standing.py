"""Whether an enterprise is under a measure of an area on a day. Pure: what the records say, and the day.

A revoked record answers as if it had never been; so does every record that ended or is suspended, except that
price measures go on by their own dates (`RULINGS` M2). A measure acts from its first to its last day, both
included.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from schemas.catalogue.terms import terms

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Json = dict[str, Any]
_VOID = "REVOKED"
PRICE = "PRICE"


@dataclass(frozen=True, slots=True)
class Standing:
    """`since`, `until` and `decision` are of what is listed; an `until` of None there: no end is known."""

    listed: bool
    since: date | None
    until: date | None
    decision: Json | None
    measures: list[Json]
    flags: list[Json]


NEVER_LISTED = Standing(listed=False, since=None, until=None, decision=None, measures=[], flags=[])


def acts_on(measure: Json, day: date) -> bool:
    start, end = date.fromisoformat(measure["start"]), measure["end"]
    return start <= day and (end is None or day <= date.fromisoformat(end))


def standing(records: Iterable[Json], area: str, family: str, day: date) -> Standing:
    """The standing by the newest versions of an enterprise's records (bodies as JSON gives them)."""
    found = [
        (record, measures)
        for record in records
        if _counts(record["state"], family)
        and (measures := [m for m in record["measures"] if m["area"] == area and acts_on(m, day)])
    ]
    if not found:
        return NEVER_LISTED
    # The first to start is the decision to show; the uid-less bodies come in a stable order.
    found.sort(key=lambda one: min(measure["start"] for measure in one[1]))
    measures = [measure for _, of_record in found for measure in of_record]
    flags = [flag for record, _ in found for flag in record["flags"]]
    if family == PRICE:
        return Standing(listed=False, since=None, until=None, decision=None, measures=measures, flags=flags)
    ends = [measure["end"] for measure in measures]
    return Standing(
        listed=True,
        since=date.fromisoformat(min(measure["start"] for measure in measures)),
        until=_latest(ends),
        decision=_decision(found[0][0]),
        measures=measures,
        flags=flags,
    )


def _counts(state: str, family: str) -> bool:
    return state != _VOID if family == PRICE else terms("states")[state].in_force


def _latest(ends: Sequence[str | None]) -> date | None:
    known = [date.fromisoformat(end) for end in ends if end is not None]
    return max(known) if len(known) == len(ends) else None


def _decision(record: Json) -> Json:
    decision = record["decision"]
    return {"doc_no": decision["doc_no"] if decision else None, "authority": record["authority"]}
