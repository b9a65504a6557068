"""The guards of a listing, its dates, class and reach (`RULINGS` L1–L10, I1, I3)."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from tests.broker.events import AUTHORITY, Court, changed, codes, decision, listing, overdue, uscc, warnings

HELD = [
    ("data.decision.notice", ..., "E_NO_NOTICE", "listing.notified"),
    ("data.decision.notice.defence", "OPEN", "E_DEFENCE_OPEN", "listing.statement.reviewed"),
    ("data.decision.notice.served_on", "2026-05-08", "E_DEFENCE_OPEN", "listing.statement.reviewed"),
    ("data.decision.notice.defence_until", "2026-05-11", "E_DEFENCE_OPEN", "listing.statement.reviewed"),
]


@pytest.mark.parametrize(("path", "value", "code", "waits_for"), HELD)
def test_a_decision_short_of_procedure_is_held_and_makes_no_record(
    path: str, value: Any, code: str, waits_for: str
) -> None:
    court = Court()
    entry = court.put(changed(listing(), path, value))
    assert (entry.verdict, codes(entry), entry.waits_for) == ("HELD", {code}, waits_for)
    assert not court.versions


@pytest.mark.parametrize("kind", ["listing", "overdue"])
def test_an_overdue_fact_whose_decision_is_held_is_held_whole(kind: str) -> None:
    incomplete = changed({"d": decision()}, "d.notice", ...)["d"]
    event = listing(decision=incomplete) if kind == "listing" else overdue(decision=incomplete)
    court = Court()
    assert court.put(event).verdict == "HELD"
    assert not court.versions


@pytest.mark.parametrize("defence", ["WAIVED", "CLOSED", ...])
def test_a_defence_waived_or_past_its_window_lets_the_listing_through(defence: Any) -> None:
    assert Court().put(changed(listing(), "data.decision.notice.defence", defence)).verdict == "ACCEPTED"


def test_a_waived_defence_needs_no_window() -> None:
    notice = {"served_on": "2026-05-10", "defence": "WAIVED"}
    assert Court().put(listing(decision=decision(notice=notice))).verdict == "ACCEPTED"


def test_a_window_near_a_holiday_is_provisional() -> None:
    notice = {"served_on": "2026-04-28", "defence": "CLOSED"}
    entry = Court().put(listing(decision=decision(notice=notice)))
    assert warnings(entry) == {"W_CALENDAR_PROVISIONAL"}


ORDERS = [
    ("data.decision.served_on", "2026-05-10"),
    ("data.decision.listed_on", "2026-05-11"),
    ("data.decision.notice.served_on", "2026-05-12"),
    ("data.decision.publicity_until", "2027-05-11"),
    ("data.decision.publicity_until", "2029-05-13"),
]


@pytest.mark.parametrize(("path", "value"), ORDERS)
def test_dates_out_of_order_refuse(path: str, value: str) -> None:
    entry = Court().put(changed(listing(), path, value))
    assert entry.verdict == "REFUSED"
    assert "E_DATES_ORDER" in codes(entry)


@pytest.mark.parametrize("until", ["2027-05-12", "2029-05-12", "2028-01-01"])
def test_publicity_within_the_window_is_taken_as_stated(until: str) -> None:
    court = Court()
    assert court.put(changed(listing(), "data.decision.publicity_until", until)).verdict == "ACCEPTED"
    assert str(court.record().publicity_until) == until


def test_not_served_is_decided_and_pushed_to_nobody_and_service_lists_it() -> None:
    court = Court()
    court.put(changed(listing("a"), "data.decision.served_on", ...))
    decided = court.record()
    assert (decided.state, decided.areas, decided.channels) == ("DECIDED", (), ())
    court.put(listing("b"))
    assert (court.record().state, court.record().version) == ("LISTED", 2)
    assert court.record().areas


def test_before_its_first_day_a_listing_stays_decided() -> None:
    court = Court(date(2026, 5, 20))
    entry = court.put(changed(listing(), "data.decision.listed_on", "2026-06-01"))
    assert (court.record().state, str(entry.reevaluate_on)) == ("DECIDED", "2026-06-01")
    assert not court.record().areas


REFUSALS = [
    ("data.bases", [], {"E_BASIS_MISSING"}),
    ("data.bases", [{"basis": "工信部联产业〔2017〕30号", "level": "NORMATIVE"}], {"E_BASIS_INSUFFICIENT"}),
    ("data.bases", [{"basis": "某办法(征求意见稿)", "level": "LAW"}], {"E_BASIS_DRAFT_ONLY"}),
    ("data.dimensions", ["ENERGY", "NOISE"], {"E_UNKNOWN_VALUE"}),
    ("data.authority.region", "110000", {"E_NO_PROFILE"}),
    ("data.decision.decided_on", "2016-05-11", {"E_NO_PROFILE", "E_DATES_ORDER"}),
    ("data.enterprise.uscc", uscc(2), {"E_SUBJECT_MISMATCH"}),
    ("data.enterprise.uscc", "91150304M0000C0380", {"E_USCC_CHECKSUM"}),
]


@pytest.mark.parametrize(("path", "value", "expected"), REFUSALS)
def test_refusals(path: str, value: Any, expected: set[str]) -> None:
    entry = Court().put(changed(listing(), path, value))
    assert (entry.verdict, codes(entry)) == ("REFUSED", expected)
    assert entry.act_key is None


def test_all_problems_are_found_together() -> None:
    flawed = changed(listing(), "data.decision.served_on", "2026-05-01")
    flawed = changed(flawed, "data.dimensions", ["FACTOR"])
    flawed = changed(flawed, "data.authority", {**AUTHORITY, "region": "320400"})
    flawed = changed(flawed, "data.bases", [{"basis": "某通知", "level": "LAW"}])
    flawed = changed(flawed, "data.enterprise.name", 5)
    entry = Court().put(flawed)
    assert codes(entry) == {
        "E_SCHEMA",
        "E_DATES_ORDER",
        "E_DIMENSION_NOT_IN_PROFILE",
        "E_BASIS_INSUFFICIENT",
    }
    assert warnings(entry) == {"W_BASIS_UNKNOWN"}


def test_an_event_may_lower_class_and_severity_and_never_raise_them() -> None:
    court = Court()
    court.put(listing(severity="MINOR", record_class="OTHER_DISHONESTY"))
    record = court.record()
    assert (record.body["severity"], record.body["record_class"]) == ("MINOR", "OTHER_DISHONESTY")
    assert record.channels == ("NCISP", "WH_COORD")
    assert str(record.publicity_until) == "2026-08-12"


def test_the_catalogue_knows_a_level_better_than_the_event() -> None:
    bases = [{"basis": "国发〔2010〕7号", "level": "NORMATIVE"}]
    entry = Court().put(listing(bases=bases))
    assert (entry.verdict, warnings(entry)) == ("ACCEPTED", {"W_BASIS_LEVEL"})


def test_a_code_that_needed_normalising_is_accepted_and_warned_about() -> None:
    event = changed(listing(), "data.enterprise.uscc", "9115 0304-m0000c0389")
    court = Court()
    entry = court.put(event)
    assert (entry.verdict, warnings(entry)) == ("ACCEPTED", {"W_USCC_NORMALISED"})
    assert court.record().subject == "91150304M0000C0389"


def test_a_second_listing_of_a_standing_case_is_for_a_person() -> None:
    court = Court()
    court.put(listing())
    entry = court.put(listing("l-2", decision=decision("乌工信列决〔2026〕5号")))
    assert (entry.verdict, codes(entry)) == ("CONFLICT", {"E_STATE"})
    assert court.record().version == 1


def test_links_that_disagree_refuse() -> None:
    court = Court()
    court.put(listing())
    same_document = court.put(
        listing("l-2", case_id="WH-2", dimensions=["QUALITY"], decision=decision(doc_type="PENALTY"))
    )
    assert (same_document.verdict, codes(same_document)) == ("REFUSED", {"E_LINK_CONFLICT"})
    other_subject = court.put(listing("l-3", subject=uscc(9), decision=decision("乌工信列决〔2026〕9号")))
    assert (other_subject.verdict, codes(other_subject)) == ("REFUSED", {"E_LINK_CONFLICT"})
