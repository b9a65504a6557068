"""The outcome of a run as one value, and as the JSON object that `--json` prints."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from liancheng.demo.check import check, conservation

if TYPE_CHECKING:
    from collections.abc import Mapping

    from liancheng.demo.check import Conservation, Mismatch
    from liancheng.demo.expectations import Expectations, ExpectedEvent
    from liancheng.demo.observation import Observation


@dataclass(frozen=True, slots=True)
class Look:
    """Where to look while the demo keeps running."""

    api: str
    receivers: str
    token: str
    folder: str
    operator_file: str


@dataclass(frozen=True, slots=True)
class Result:
    """`destinations`: code → (中文, English). `look` is None where nothing keeps running."""

    expectations: Expectations
    events: Mapping[str, Mapping[str, Any]]
    destinations: Mapping[str, tuple[str, str]]
    seen: Observation
    kafka: str
    ready_seconds: float
    seconds: float
    look: Look | None

    @property
    def mismatches(self) -> list[Mismatch]:
        return check(self.expectations, self.seen)

    @property
    def conservation(self) -> Conservation:
        return conservation(self.expectations, self.seen)


def as_json(result: Result) -> dict[str, Any]:
    """All that the tables say."""
    mismatches = result.mismatches
    counts = result.conservation
    return {
        "ok": not mismatches,
        "kafka": result.kafka,
        "seconds": {"ready": round(result.ready_seconds, 2), "total": round(result.seconds, 2)},
        "events": [_event(result, event) for event in result.expectations.events],
        "receivers": {
            code: {
                "name_zh": zh,
                "name_en": en,
                "holds": {
                    uid: held._asdict() for uid, held in sorted(result.seen.holdings.get(code, {}).items())
                },
            }
            for code, (zh, en) in result.destinations.items()
        },
        "conservation": {
            "events": {"produced": counts.produced, **_lower(counts.verdicts)},
            "deliveries": {
                name: getattr(counts, name)
                for name in ("owed", "accepted", "superseded", "rejected", "parked")
            },
            "holds": counts.holds,
        },
        "mismatches": [
            {"subject": m.subject, "what": m.en, "expected": m.expected, "got": m.got} for m in mismatches
        ],
        "look": result.look
        and {name: getattr(result.look, name) for name in ("api", "receivers", "token", "folder")},
    }


def _event(result: Result, expected: ExpectedEvent) -> dict[str, Any]:
    seen = result.seen
    event = result.events[expected.id]
    verdict = seen.verdicts.get(expected.id)
    version = seen.version(expected.id)
    letter = seen.letters.get(expected.id)
    uid = seen.record_uid(expected.id)
    return {
        "id": expected.id,
        "type": event["type"],
        "subject": event["subject"],
        "title_zh": expected.zh,
        "title_en": expected.en,
        "verdict": verdict and verdict["verdict"],
        "codes": verdict["codes"] if verdict else [],
        "warnings": verdict["warnings"] if verdict else [],
        "record_uid": uid,
        "version": verdict and verdict["version"],
        "state": version and version["state"],
        "op": version and version["op"],
        "destinations": sorted(seen.told(uid, verdict["version"] if verdict else None)) if uid else [],
        "dead_letter": letter and asdict(letter),
    }


def _lower(counts: Mapping[str, int]) -> dict[str, int]:
    return {name.lower(): number for name, number in counts.items()}
