"""Overdue facts: records in FACT_FOUND, and the listing that each belongs to (`RULINGS` L1, L10, I3)."""

from __future__ import annotations

import pytest

from tests.broker.events import SUBJECT, Court, changed, codes, decision, listing, overdue, revoked, warnings


def test_a_fact_alone_is_visible_and_concerns_nobody() -> None:
    court = Court()
    entry = court.put(overdue())
    record = court.record()
    assert (entry.verdict, entry.version) == ("ACCEPTED", 1)
    assert (record.state, record.op, record.areas, record.channels) == ("FACT_FOUND", "UPSERT", (), ())
    assert record.body["in_force"] is False
    assert str(record.body["effective_due"]) == "2026-03-10"


def test_a_fact_with_a_complete_decision_is_listed_in_one_version() -> None:
    court = Court()
    court.put(overdue(decision=decision()))
    assert (court.record().state, court.record().version) == ("LISTED", 1)


def test_the_listing_of_a_case_takes_its_fact_over() -> None:
    court = Court()
    court.put(overdue(failure_reason="F02", capacity_items=[{"equipment": "石灰窑", "qty": 1}]))
    court.put(listing())
    record = court.record()
    assert (record.state, record.version) == ("LISTED", 2)
    assert record.body["reasons"] == ["F01", "F02"]
    assert [item["equipment"] for item in record.body["capacity_items"]] == ["石灰窑"]


def test_a_second_reason_of_a_listed_case_is_told_to_all_who_hold_it() -> None:
    court = Court()
    court.put(listing())
    entry = court.put(overdue(failure_reason="F06"))
    record = court.record()
    assert (entry.verdict, entry.version, record.op, record.state) == ("ACCEPTED", 2, "UPSERT", "LISTED")
    assert record.areas == court.versions[0].areas
    assert record.body["reasons"] == ["F01", "F06"]


def test_a_fact_that_says_nothing_new_is_context() -> None:
    court = Court()
    court.put(listing())
    assert court.put(overdue()).verdict == "CONTEXT"
    assert court.record().version == 1


def test_equipment_that_only_the_fact_names_brings_its_price_measures() -> None:
    restricted = {"equipment": "石灰窑", "catalog": {"edition": "2019年本", "class": "限制类"}}
    court = Court()
    court.put(listing())
    assert "PRICE" not in court.record().areas
    court.put(overdue(capacity_items=[restricted]))
    assert "PRICE" in court.record().areas


def test_a_fact_later_than_the_decision_opens_a_new_record() -> None:
    court = Court()
    court.put(listing())
    court.put(overdue(obligation={"due_on": "2026-08-31"}))
    listed, found = court.situation.records_of(SUBJECT)
    assert (listed.state, found.state) == ("LISTED", "FACT_FOUND")
    # And the next listing of the case is that one's, although another record stands.
    entry = court.put(
        listing(
            "l-2", decision=decision("乌工信列决〔2026〕8号", decided_on="2026-09-15", served_on="2026-09-16")
        )
    )
    assert entry.record_uid == found.record_uid


def test_a_fact_that_belongs_to_a_revoked_record_is_context() -> None:
    court = Court()
    court.put_all((listing(), revoked()))
    assert court.put(overdue(failure_reason="F06")).verdict == "CONTEXT"


def test_a_plan_item_without_date_waits_for_its_plan_and_without_either_is_refused() -> None:
    waiting = Court().put(overdue(obligation={"plan_item": "2026年退出计划-第4项"}))
    assert (waiting.verdict, codes(waiting), waiting.waits_for) == (
        "HELD",
        {"E_NO_DUE_DATE"},
        "plan.published",
    )
    for event in (overdue(obligation={}), changed(overdue(), "data.obligation", ...)):
        refused = Court().put(event)
        assert (refused.verdict, codes(refused)) == ("REFUSED", {"E_NO_DUE_DATE"})
    other_reason = overdue(failure_reason="F06", obligation={})
    assert Court().put(other_reason).verdict == "ACCEPTED"


@pytest.mark.parametrize(("year", "expected"), [(2024, set()), (2023, {"W_STAT_YEAR"})])
def test_the_statistics_year_should_be_the_one_before_the_order(year: int, expected: set[str]) -> None:
    entry = Court().put(changed(overdue(), "data.obligation.stat_year", year))
    assert warnings(entry) == expected


@pytest.mark.parametrize(
    ("disposal", "missing"),
    [
        (["D05"], "D02,D03,D04,D06,D07"),
        (["D01", "D05"], None),
        (["D03"], None),
        (["D02", "D03", "D04", "D05", "D06", "D07"], None),
    ],
)
def test_sealing_without_dismantling_needs_all_that_belongs_to_it(
    disposal: list[str], missing: str | None
) -> None:
    entry = Court().put(overdue(disposal=disposal))
    assert [warning.expected for warning in entry.warnings] == ([missing] if missing else [])
