"""Expected against seen: pure, and complete, so that nothing that was pushed beside goes unnoticed."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from schemas.events.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from liancheng.demo.expectations import Expectations, ExpectedEvent
    from liancheng.demo.observation import Observation

NOTHING = "-"
_RETRACT = "RETRACT"


class Mismatch(NamedTuple):
    """One expectation that did not hold. `subject`: an event, a receiver or a law."""

    subject: str
    zh: str
    en: str
    expected: str
    got: str


class Conservation(NamedTuple):
    """Both laws: every message has one verdict, and every owed version one end at each destination."""

    produced: int
    verdicts: dict[str, int]
    """Of all verdicts, in their order; those that did not occur as 0."""
    owed: int
    accepted: int
    superseded: int
    rejected: int
    parked: int

    @property
    def holds(self) -> bool:
        return self.produced == sum(self.verdicts.values()) and self.owed == (
            self.accepted + self.superseded + self.rejected + self.parked
        )


def check(expectations: Expectations, seen: Observation) -> list[Mismatch]:
    """Every expectation that does not hold, event by event, then what holds for all; empty: all is well."""
    return [
        *(mismatch for event in expectations.events for mismatch in _event(expectations, event, seen)),
        *_identities(expectations, seen),
        *_holdings(expectations, seen),
        *_retractions(seen),
        *_arrivals(seen),
        *_laws(expectations, seen),
    ]


def conservation(expectations: Expectations, seen: Observation) -> Conservation:
    """As counted by Kafka, inbox and ledger; `owed` as expected."""
    return Conservation(
        seen.produced,
        {verdict: seen.inbox[verdict] for verdict in Verdict},
        sum(len(expectations.told(event, seen.destinations)) for event in expectations.events),
        seen.outcomes["ACCEPTED"],
        seen.outcomes["SUPERSEDED"],
        seen.outcomes["REJECTED"],
        sum(parked for _, parked in seen.backlog.values()),
    )


def _event(expectations: Expectations, expected: ExpectedEvent, seen: Observation) -> Iterator[Mismatch]:
    verdict = seen.verdicts.get(expected.id)
    if verdict is None:
        yield Mismatch(expected.id, "判定", "verdict", expected.verdict, NOTHING)
        return
    codes = {finding["code"] for finding in verdict["codes"]}
    warnings = {finding["code"] for finding in verdict["warnings"]}
    version = seen.version(expected.id)
    told = seen.told(verdict["record_uid"], verdict["version"]) if version else {}
    audience = expectations.told(expected, seen.destinations)
    found = (
        ("判定", "verdict", expected.verdict.value, verdict["verdict"]),
        ("代码", "codes", _set(expected.codes), _set(codes)),
        ("警示", "warnings", _set(expected.warnings), _set(expected.warnings & warnings)),
        ("版本", "version", _value(expected.version), _value(verdict["version"])),
        ("状态", "state", _value(expected.state), _value(version and version["state"])),
        ("操作", "operation", _value(expected.op), _value(version and version["op"])),
        ("送达", "told", _set(audience), _set(told)),
        ("送达操作", "told as", _set({expected.op} if audience else ()), _set({a.op for a in told.values()})),
        ("死信", "dead letter", str(expected.verdict is Verdict.REFUSED), str(expected.id in seen.letters)),
    )
    yield from _unequal(expected.id, found)


def _identities(expectations: Expectations, seen: Observation) -> Iterator[Mismatch]:
    """An event's record is the named one, or one that no other event here has."""
    owners: dict[str, str] = {}
    for event in expectations.events:
        uid = seen.record_uid(event.id)
        if uid is None:
            continue
        owner = owners.setdefault(uid, event.id)
        expected = event.same_record or event.id
        if owner != expected:
            yield Mismatch(event.id, "所属记录", "record of", expected, owner)


def _holdings(expectations: Expectations, seen: Observation) -> Iterator[Mismatch]:
    """Each receiver holds the newest version of what it was told and nothing else; so says the ledger."""
    expected: dict[str, dict[str, str]] = {code: {} for code in seen.destinations}
    names: dict[str, str] = {}
    for event in expectations.events:
        uid = seen.record_uid(event.id)
        if uid is None:
            continue
        names.setdefault(uid, event.id)
        for code in expectations.told(event, seen.destinations):
            expected.setdefault(code, {})[uid] = f"v{event.version} {event.op}"
    for code, records in expected.items():
        wanted = _listed(names, records)
        held = {uid: f"v{held.version} {held.op}" for uid, held in seen.holdings.get(code, {}).items()}
        by_ledger = ((uid, _by_ledger(record, code)) for uid, record in seen.records.items())
        ledger = {uid: shown for uid, shown in by_ledger if shown is not None}
        yield from _unequal(code, [("持有", "holds", wanted, _listed(names, held))])
        yield from _unequal(code, [("台账", "holds by the ledger", wanted, _listed(names, ledger))])


def _by_ledger(record: dict[str, Any], code: str) -> str | None:
    ops = {version["version"]: version["op"] for version in record["versions"]}
    for holding in record["destinations"]:
        version = holding["holds"] or holding["retracted"]
        if holding["destination"] == code and version is not None:
            return f"v{version} {ops[version]}"
    return None


def _retractions(seen: Observation) -> Iterator[Mismatch]:
    """Whoever was told of a record that has been withdrawn was told of that too."""
    for uid, record in seen.records.items():
        newest = record["versions"][-1]
        if newest["op"] == _RETRACT:
            ever = {arrival.receiver for arrival in seen.arrivals if arrival.record_uid == uid}
            withdrawn = seen.told(uid, newest["version"])
            yield from _unequal(uid, [("撤回到达", "retraction reaches", _set(ever), _set(withdrawn))])


def _arrivals(seen: Observation) -> Iterator[Mismatch]:
    """No receiver got anything twice, out of order, unsigned or unreadable."""
    fates = Counter(arrival.fate for arrival in seen.arrivals)
    odd = {fate: number for fate, number in fates.items() if fate != "NEW"}
    if odd:
        yield Mismatch("*", "到达", "arrivals", "all NEW", str(odd))


def _laws(expectations: Expectations, seen: Observation) -> Iterator[Mismatch]:
    counts = conservation(expectations, seen)
    verdicts = Counter(event.verdict.value for event in expectations.events)
    found = [
        ("产生", "produced", len(expectations.events), counts.produced),
        ("判定合计", "verdicts together", counts.produced, sum(counts.verdicts.values())),
        *(("判定", f"verdicts {name}", verdicts[name], number) for name, number in counts.verdicts.items()),
        ("推送", "deliveries accepted", counts.owed, counts.accepted),
        ("推送", "deliveries superseded", 0, counts.superseded),
        ("推送", "deliveries rejected", 0, counts.rejected),
        ("推送", "deliveries parked", 0, counts.parked),
    ]
    yield from _unequal("*", ((zh, en, str(expected), str(got)) for zh, en, expected, got in found))
    for code, (behind, _) in seen.backlog.items():
        yield from _unequal(code, [("滞后", "feed rows behind", "0", str(behind))])


def _unequal(subject: str, found: Iterable[tuple[str, str, str, str]]) -> Iterator[Mismatch]:
    for zh, en, expected, got in found:
        if expected != got:
            yield Mismatch(subject, zh, en, expected, got)


def _set(values: Iterable[str | None]) -> str:
    return " ".join(sorted(str(value) for value in values)) or NOTHING


def _value(value: object) -> str:
    return NOTHING if value is None else str(value)


def _listed(names: dict[str, str], held: dict[str, str]) -> str:
    """`evt-0003 v1 UPSERT, …`, or the uid where no event of ours wrote the record."""
    return ", ".join(sorted(f"{names.get(uid, uid)} {what}" for uid, what in held.items())) or NOTHING
