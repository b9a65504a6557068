"""An observation in which everything is as expected, to be spoilt by tests."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from liancheng.demo.observation import Arrival, Held, Letter, Observation
from schemas.events.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from liancheng.demo.expectations import Expectations, ExpectedEvent


def uid_of(event: ExpectedEvent) -> str:
    """26 characters, as a ULID has."""
    name = (event.same_record or event.id).removeprefix("evt-").replace("-", "").upper()
    return f"01JPERFECT{name:0>16}"


def finding(code: str) -> dict[str, Any]:
    return {"code": code, "field": None, "value": None, "expected": None}


def perfect(expectations: Expectations, destinations: Sequence[str]) -> Observation:
    """Written from the shapes of the API and the simulator, not from what `check` looks at."""
    seen = Observation(tuple(destinations), {}, produced=len(expectations.events))
    seen.holdings = {code: {} for code in destinations}
    for number, event in enumerate(expectations.events, 1):
        uid = uid_of(event) if event.version else None
        seen.verdicts[event.id] = _verdict(event, uid)
        seen.inbox[event.verdict.value] += 1
        if event.verdict is Verdict.REFUSED:
            seen.letters[event.id] = Letter(number, "events", 0, number)
        if uid is not None:
            _deliver(seen, event, uid, sorted(expectations.told(event, destinations)))
    return seen


def _verdict(event: ExpectedEvent, uid: str | None) -> dict[str, Any]:
    return {
        "event": {"source": "//test", "id": event.id},
        "verdict": event.verdict.value,
        "codes": [{"code": code, "field": None, "value": None, "expected": None} for code in event.codes],
        "warnings": [
            {"code": code, "field": None, "value": None, "expected": None} for code in event.warnings
        ],
        "record_uid": uid,
        "version": event.version,
    }


def _deliver(seen: Observation, event: ExpectedEvent, uid: str, told: list[str]) -> None:
    assert event.version is not None
    assert event.op is not None
    record = seen.records.setdefault(uid, {"subject": "91", "publicity_until": None, "versions": []})
    record["versions"].append({"version": event.version, "op": event.op, "state": event.state})
    retracted = event.op == "RETRACT"
    record |= {
        "state": event.state,
        "in_force": event.state == "LISTED",
        "destinations": [
            {
                "destination": code,
                "holds": None if retracted else event.version,
                "retracted": event.version if retracted else None,
            }
            for code in told
        ],
    }
    for code in told:
        seen.arrivals.append(Arrival(code, uid, event.version, event.op, "NEW", 0.0))
        seen.holdings[code][uid] = Held(event.version, event.op)
    seen.outcomes += Counter(ACCEPTED=len(told))
