"""In whatever order the events of a case come, the same is true in the end (`RULINGS` V6), and nothing is
lost.
"""

from __future__ import annotations

import itertools
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.codes import Code
from schemas.events import VerdictData
from schemas.record import RecordBody, body_bytes
from tests.broker.events import SUBJECT, Court, arrival, changed, listing, overdue, revoked

FACT = overdue(
    capacity_items=[{"equipment": "石灰窑", "catalog": {"edition": "2019年本", "class": "限制类"}}]
)
PLAIN_FACT = overdue("o-3")
REASON = overdue("o-2", failure_reason="F02", obligation={"due_on": "2026-02-01"})
UNSERVED = changed(listing("l-0"), "data.decision.served_on", ...)
UNNOTIFIED = changed(listing("l-00"), "data.decision.notice", ...)
LISTING = listing()
REVOCATION = revoked()
LEGAL = (
    "state", "cause", "in_force", "subject", "names", "dimensions", "reasons", "listed_on", "publicity_until",
    "record_class", "severity", "measures", "flags", "bases", "capacity_items", "effective_due", "revocation",
)  # fmt: skip


def legal_content(court: Court) -> dict[str, Any]:
    """Without the day from which a name is known, which a fact may know earlier."""
    body = orjson.loads(orjson.dumps(court.record().body))
    found = {name: body[name] for name in LEGAL}
    found["names"] = [name["name"] for name in body["names"]]
    found["measures"] = sorted(body["measures"], key=lambda entry: entry["code"])
    return found


@pytest.mark.parametrize(
    "events",
    [
        (FACT, LISTING),
        (FACT, REASON, LISTING),
        (UNSERVED, LISTING),
        (FACT, UNNOTIFIED, LISTING),
        (LISTING, REVOCATION),
        (PLAIN_FACT, UNSERVED, LISTING, REVOCATION),
    ],
    ids=lambda events: "+".join(event["id"] for event in events),
)
def test_every_order_of_a_case_ends_in_the_same(events: tuple[dict[str, Any], ...]) -> None:
    outcomes = []
    for order in itertools.permutations(events):
        court = Court()
        court.put_all(order)
        outcomes.append(legal_content(court))
    assert all(outcome == outcomes[0] for outcome in outcomes)


EVENTS = st.sampled_from((FACT, REASON, UNSERVED, UNNOTIFIED, LISTING, REVOCATION))


@settings(max_examples=300, deadline=None)
@given(st.lists(EVENTS, max_size=12))
def test_redelivery_in_any_order_changes_nothing_and_counts_add_up(events: list[dict[str, Any]]) -> None:
    court = Court()
    court.put_all(events)
    assert len(court.entries) == len(events)
    assert len({entry.inbox_id for entry in court.entries}) == len(events)
    # Conflicts and refusals occupy no key; all else is known when it comes again.
    occupied = {"ACCEPTED", "HELD", "CONTEXT", "DUPLICATE"}
    for first, later in itertools.combinations(range(len(events)), 2):
        if events[first] is events[later] and court.entries[first].verdict in occupied:
            assert court.entries[later].verdict == "DUPLICATE"
    # Versions count 1, 2, 3; and once a record is revoked, nothing puts it in force again.
    assert [version.version for version in court.versions] == list(range(1, len(court.versions) + 1))
    states = [version.state for version in court.versions]
    assert "REVOKED" not in states or set(states[states.index("REVOKED") :]) == {"REVOKED"}
    # A held event holds no record, an accepted one has the version it made.
    written = {(version.record_uid, version.version) for version in court.versions}
    for entry in court.entries:
        assert ((entry.record_uid, entry.version) in written) == (entry.verdict == "ACCEPTED")
    assert len(court.situation.records_of(SUBJECT)) <= 1


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


def _paths(value: Any, at: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    if not isinstance(value, dict):
        return []
    return [path for key, inner in value.items() for path in ((*at, key), *_paths(inner, (*at, key)))]


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_whatever_stands_in_an_event_it_gets_one_verdict_and_the_judge_never_fails(
    data: st.DataObject,
) -> None:
    event = data.draw(st.sampled_from((FACT, LISTING, REVOCATION)))
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(_paths(event)))
        try:
            event = changed(event, ".".join(path), data.draw(JSON))
        except (TypeError, KeyError):
            continue
    court = Court()
    court.put(LISTING)
    entry = court.put(event)
    assert Code.E_UNJUDGED not in {finding.code for finding in entry.codes}
    assert entry.verdict == "REFUSED" or not arrival(event).event.findings
    for verdict in court.verdicts:
        VerdictData.model_validate(verdict)
    for version in court.versions:
        RecordBody.model_validate_json(body_bytes(version.body), strict=False)
