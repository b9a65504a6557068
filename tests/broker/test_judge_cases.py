"""The worked cases, each on an empty situation, as a table: what comes of every event type that is here
now.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pytest

from tests.broker.events import Court, codes, warnings

CASES = Path(__file__).parent.parent / "data" / "cases.ndjson"
EVENTS: dict[str, dict[str, Any]] = {
    (found := orjson.loads(line)["event"])["id"]: found for line in CASES.read_bytes().splitlines()
}
AREAS = tuple(f"SA0{number}" for number in range(1, 10))
WUHAI = ("CREDIT_CHINA", "NCISP", "WH_COORD")


class Case(NamedTuple):
    """Events in order; verdict and codes of the last; state, areas and channels of its record."""

    events: tuple[str, ...]
    verdict: str
    codes: frozenset[str] = frozenset()
    warnings: frozenset[str] = frozenset()
    state: str | None = None
    areas: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    listed: tuple[str, str] | None = None


TABLE = [
    Case(("evt-0001",), "ACCEPTED", state="FACT_FOUND"),
    Case(
        ("evt-0003",), "ACCEPTED", warnings=frozenset({"W_DISPOSAL_INCOMPLETE"}), state="LISTED",
        areas=(*AREAS, "CREDIT", "PRICE"), channels=WUHAI, listed=("2022-07-18", "2025-07-18"),
    ),
    Case(("evt-0001", "evt-0004"), "REFUSED", frozenset({"E_USCC_CHECKSUM"})),
    Case(
        ("evt-0005a",), "ACCEPTED", state="LISTED", areas=(*AREAS, "CREDIT"), channels=WUHAI,
        listed=("2022-07-29", "2025-07-29"),
    ),
    Case(
        ("evt-0005a", "evt-0005b"), "ACCEPTED", state="LISTED", areas=(*AREAS, "CREDIT"), channels=WUHAI,
        listed=("2022-07-29", "2025-07-29"),
    ),
    Case(
        ("evt-0008",), "ACCEPTED", state="LISTED", areas=(*AREAS, "PRICE"),
        channels=("CREDIT_CHANGZHOU", "JS_PCIS", "CZ_PCIS", "CZ_HUAJIE"), listed=("2018-01-22", "2021-01-22"),
    ),
    Case(("evt-0009a",), "HELD", frozenset({"E_NO_RECORD"})),
    Case(("evt-0009a", "evt-0009b"), "ACCEPTED", state="REVOKED", listed=("2022-08-02", "2025-08-02")),
    Case(
        ("evt-0009b", "evt-0009a"), "ACCEPTED", state="REVOKED", listed=("2022-08-02", "2025-08-02"),
        areas=AREAS, channels=("CREDIT_CHANGZHOU", "JS_PCIS", "CZ_PCIS", "CZ_HUAJIE"),
    ),
    Case(
        ("evt-0010-0",), "ACCEPTED", state="LISTED", areas=(*AREAS, "CREDIT"), channels=WUHAI,
        listed=("2026-05-12", "2029-05-12"),
    ),
    Case(("evt-0012",), "REFUSED", frozenset({"E_NO_DUE_DATE", "E_BASIS_DRAFT_ONLY"})),
]  # fmt: skip


@pytest.mark.parametrize("case", TABLE, ids=lambda case: "+".join(case.events))
def test_worked_case(case: Case) -> None:
    court = Court()
    entry = court.put_all(EVENTS[name] for name in case.events)[-1]
    assert (entry.verdict.value, codes(entry), warnings(entry)) == (
        case.verdict,
        set(case.codes),
        set(case.warnings),
    )
    if case.state is None:
        assert entry.record_uid is None
        return
    record = next(v for v in reversed(court.versions) if v.record_uid == entry.record_uid)
    assert (record.state, record.areas, record.channels) == (case.state, case.areas, case.channels)
    if case.listed is not None:
        assert (str(record.listed_on), str(record.publicity_until)) == case.listed


def test_the_listing_that_meets_its_revocation_completes_it_with_a_second_verdict() -> None:
    court = Court()
    revocation, listing = court.put_all((EVENTS["evt-0009a"], EVENTS["evt-0009b"]))
    assert revocation.record_uid == listing.record_uid
    assert [verdict["verdict"] for verdict in court.verdicts] == ["HELD", "ACCEPTED", "ACCEPTED"]
    assert court.verdicts[0]["waits_for"] == "listing.decided"
    assert court.verdicts[2]["event"]["id"] == "evt-0009a"
    assert court.verdicts[2] | {"event": None} == court.verdicts[1] | {"event": None}
    assert len(court.versions) == 1
    assert court.versions[0].op == "RETRACT"


def test_the_price_measures_of_the_electric_furnaces_follow_the_restricted_one() -> None:
    court = Court()
    court.put(EVENTS["evt-0003"])
    body = court.versions[0].body
    priced = {entry["code"]: entry for entry in body["measures"] if entry["area"] == "PRICE"}
    assert priced
    assert all(entry["end"] is None for entry in priced.values())
    assert body["dimensions"] == ["ENV", "INDUSTRIAL_POLICY", "SAFETY"]


def test_black_environmental_credit_gives_pp05_and_eliminated_equipment_the_others() -> None:
    court = Court()
    court.put(EVENTS["evt-0008"])
    priced = [entry["code"] for entry in court.versions[0].body["measures"] if entry["area"] == "PRICE"]
    assert priced == ["PP01", "PP02", "PP03", "PP04", "PP05"]


@pytest.mark.parametrize("name", ["evt-0006b", "evt-0007", "evt-0010a", "evt-0010b", "evt-0010c", "evt-0011"])
def test_a_type_that_is_not_judged_yet_is_refused_and_never_context(name: str) -> None:
    entry = Court().put(EVENTS[name])
    assert (entry.verdict, codes(entry)) == ("REFUSED", {"E_UNKNOWN_TYPE"})
