"""What is expected against what was seen: nothing that differs goes unnoticed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from liancheng.demo.check import Mismatch, check, conservation
from liancheng.demo.expectations import read_destinations
from liancheng.demo.observation import Held
from tests.demo.perfect import finding, perfect, uid_of

if TYPE_CHECKING:
    from liancheng.demo.expectations import Expectations, ExpectedEvent
    from liancheng.demo.observation import Observation

Spoil = Callable[["Expectations", "Observation"], None]


def event(expectations: Expectations, event_id: str) -> ExpectedEvent:
    return next(event for event in expectations.events if event.id == event_id)


def subjects_and_words(found: list[Mismatch]) -> set[tuple[str, str]]:
    return {(mismatch.subject, mismatch.en) for mismatch in found}


def test_nothing_is_wrong_where_nothing_is_wrong(expectations: Expectations, seen: Observation) -> None:
    assert check(expectations, seen) == []
    counts = conservation(expectations, seen)
    assert counts.holds
    assert counts.produced == sum(counts.verdicts.values()) == 9
    assert counts.verdicts["ACCEPTED"] == 8
    assert counts.verdicts["REFUSED"] == 1
    assert counts.owed == counts.accepted == 45


def test_a_copy_is_checked_where_there_is_such_a_destination(expectations: Expectations) -> None:
    destinations = [*(entry["code"] for entry in read_destinations()), "CZ_HUAJIE"]
    seen = perfect(expectations, destinations)
    assert check(expectations, seen) == []
    assert conservation(expectations, seen).owed == 48
    seen.holdings["CZ_HUAJIE"].clear()
    assert ("CZ_HUAJIE", "holds") in subjects_and_words(check(expectations, seen))


def verdict(event_id: str, **changes: Any) -> Spoil:
    def spoil(_: Expectations, seen: Observation) -> None:
        seen.verdicts[event_id] |= changes

    return spoil


def version(event_id: str, **changes: Any) -> Spoil:
    def spoil(_: Expectations, seen: Observation) -> None:
        written = seen.version(event_id)
        assert written is not None
        written |= changes

    return spoil


def without_verdict(_: Expectations, seen: Observation) -> None:
    del seen.verdicts["evt-0003"]


def without_letter(_: Expectations, seen: Observation) -> None:
    seen.letters.clear()


def pushed_the_undecided(expectations: Expectations, seen: Observation) -> None:
    uid = uid_of(event(expectations, "evt-0001"))
    seen.arrivals.append(seen.arrivals[0]._replace(record_uid=uid))


def one_record_of_two(expectations: Expectations, seen: Observation) -> None:
    seen.verdicts["evt-0005b"]["record_uid"] = uid_of(event(expectations, "evt-0005a"))


def revoked_another(expectations: Expectations, seen: Observation) -> None:
    seen.verdicts["evt-0009a"]["record_uid"] = uid_of(event(expectations, "evt-0008"))


def old_version_held(expectations: Expectations, seen: Observation) -> None:
    seen.holdings["JS_PCIS"][uid_of(event(expectations, "evt-0009b"))] = Held(1, "UPSERT")


def unknown_record_held(_: Expectations, seen: Observation) -> None:
    seen.holdings["NCISP"]["01JUNKNOWN"] = Held(1, "UPSERT")


def ledger_says_otherwise(expectations: Expectations, seen: Observation) -> None:
    record = seen.records[uid_of(event(expectations, "evt-0003"))]
    record["destinations"] = [h for h in record["destinations"] if h["destination"] != "NCISP"]


def told_twice(_: Expectations, seen: Observation) -> None:
    seen.arrivals.append(seen.arrivals[0]._replace(fate="DUPLICATE"))


def retraction_short(_: Expectations, seen: Observation) -> None:
    seen.arrivals = [a for a in seen.arrivals if (a.receiver, a.op) != ("JS_PCIS", "RETRACT")]


def lost_message(_: Expectations, seen: Observation) -> None:
    seen.produced += 1


def no_end_of_a_message(_: Expectations, seen: Observation) -> None:
    seen.inbox["ACCEPTED"] -= 1


def superseded(_: Expectations, seen: Observation) -> None:
    seen.outcomes["ACCEPTED"] -= 1
    seen.outcomes["SUPERSEDED"] += 1


def behind(_: Expectations, seen: Observation) -> None:
    seen.backlog["NCISP"] = (3, 2)


@pytest.mark.parametrize(
    ("spoil", "noticed"),
    [
        (without_verdict, ("evt-0003", "verdict")),
        (verdict("evt-0001", verdict="HELD"), ("evt-0001", "verdict")),
        (verdict("evt-0004", codes=[]), ("evt-0004", "codes")),
        (verdict("evt-0004", codes=[finding("E_USCC_CHECKSUM"), finding("E_SCHEMA")]), ("evt-0004", "codes")),
        (verdict("evt-0003", warnings=[]), ("evt-0003", "warnings")),
        (verdict("evt-0009a", version=1), ("evt-0009a", "version")),
        (version("evt-0001", state="LISTED"), ("evt-0001", "state")),
        (version("evt-0009a", op="UPSERT"), ("evt-0009a", "operation")),
        (without_letter, ("evt-0004", "dead letter")),
        (pushed_the_undecided, ("evt-0001", "told")),
        (one_record_of_two, ("evt-0005b", "record of")),
        (revoked_another, ("evt-0009a", "record of")),
        (old_version_held, ("JS_PCIS", "holds")),
        (unknown_record_held, ("NCISP", "holds")),
        (ledger_says_otherwise, ("NCISP", "holds by the ledger")),
        (told_twice, ("*", "arrivals")),
        (retraction_short, ("evt-0009a", "told")),
        (lost_message, ("*", "produced")),
        (lost_message, ("*", "verdicts together")),
        (no_end_of_a_message, ("*", "verdicts ACCEPTED")),
        (superseded, ("*", "deliveries superseded")),
        (behind, ("NCISP", "feed rows behind")),
        (behind, ("*", "deliveries parked")),
    ],
)
def test_what_differs_is_noticed(
    expectations: Expectations, seen: Observation, spoil: Spoil, noticed: tuple[str, str]
) -> None:
    spoil(expectations, seen)
    assert noticed in subjects_and_words(check(expectations, seen))


def test_more_warnings_than_expected_are_no_mismatch(expectations: Expectations, seen: Observation) -> None:
    verdict("evt-0008", warnings=[finding("W_REGION_ABOLISHED")])(expectations, seen)
    assert check(expectations, seen) == []


def test_a_retraction_that_misses_a_receiver_is_noticed_by_itself(
    expectations: Expectations, seen: Observation
) -> None:
    retraction_short(expectations, seen)
    uid = uid_of(event(expectations, "evt-0009b"))
    reach = next(m for m in check(expectations, seen) if m.en == "retraction reaches")
    assert reach.subject == uid
    assert "JS_PCIS" in reach.expected
    assert "JS_PCIS" not in reach.got


def test_every_single_arrival_counts(expectations: Expectations, seen: Observation) -> None:
    arrivals = seen.arrivals
    for number in range(len(arrivals)):
        without = replace(seen, arrivals=arrivals[:number] + arrivals[number + 1 :])
        assert check(expectations, without), arrivals[number]


def test_a_mismatch_says_what_was_expected_and_what_came(
    expectations: Expectations, seen: Observation
) -> None:
    version("evt-0001", state="LISTED")(expectations, seen)
    assert check(expectations, seen) == [Mismatch("evt-0001", "状态", "state", "FACT_FOUND", "LISTED")]
