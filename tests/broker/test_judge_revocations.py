"""Revocation: before and after its listing, to everybody who was told (`RULINGS` E5, L4)."""

from __future__ import annotations

from datetime import date

from tests.broker.events import SUBJECT, Court, changed, codes, decision, listing, overdue, revoked, uscc


def test_a_listed_record_is_retracted_from_all_whom_it_concerned() -> None:
    court = Court()
    court.put(listing())
    entry = court.put(revoked())
    listed, ended = court.versions
    assert (entry.verdict, entry.version) == ("ACCEPTED", 2)
    assert (ended.op, ended.state, ended.cause) == ("RETRACT", "REVOKED", "REVOKED")
    assert (ended.areas, ended.regions, ended.channels) == (listed.areas, listed.regions, listed.channels)
    assert ended.body["in_force"] is False
    assert ended.body["revocation"] == {
        "doc_no": "乌行复〔2026〕9号",
        "decided_on": date(2026, 9, 1),
        "public_explanation": "认定事实不清，依法撤销",
    }
    assert {entry["end"] for entry in ended.body["measures"]} == {date(2026, 9, 1)}


def test_a_decision_not_yet_served_is_revoked_without_telling_anybody() -> None:
    court = Court()
    court.put(changed(listing(), "data.decision.served_on", ...))
    court.put(revoked())
    assert (court.record().state, court.record().areas, court.record().channels) == ("REVOKED", (), ())


def test_an_unknown_document_waits_also_when_its_case_has_another_record() -> None:
    court = Court()
    court.put(listing())
    entry = court.put(revoked(doc_no="乌工信列决〔2026〕77号"))
    assert (entry.verdict, codes(entry), entry.waits_for) == ("HELD", {"E_NO_RECORD"}, "listing.decided")
    assert court.record().state == "LISTED"


def test_the_listing_that_meets_its_revocation_takes_the_fact_with_it_and_is_owed_to_nobody() -> None:
    court = Court()
    court.put_all((overdue(), revoked(), listing()))
    record = court.record()
    assert (record.state, record.version, record.areas, record.channels) == ("REVOKED", 2, (), ())


def test_a_held_listing_meets_its_revocation_when_it_is_complete() -> None:
    court = Court()
    held = court.put(changed(listing("a"), "data.decision.notice", ...))
    revocation = court.put(revoked())
    assert (held.verdict, revocation.verdict) == ("HELD", "HELD")
    court.put(listing("b"))
    assert (held.verdict, revocation.verdict) == ("ACCEPTED", "ACCEPTED")
    assert court.record().state == "REVOKED"


def test_a_revoked_record_stays_so_and_a_later_decision_starts_another() -> None:
    court = Court()
    court.put_all((listing(), revoked()))
    later = decision("乌工信列决〔2026〕30号", decided_on="2026-10-08", served_on="2026-10-09")
    entry = court.put(listing("l-2", decision=later))
    assert entry.verdict == "ACCEPTED"
    states = sorted((record.state, record.version) for record in court.situation.records_of(SUBJECT))
    assert states == [("LISTED", 1), ("REVOKED", 2)]


def test_a_decision_made_before_the_revocation_cannot_stand_beside_what_it_revoked() -> None:
    court = Court()
    court.put_all((listing(), revoked()))
    earlier = decision("乌工信列决〔2026〕4号", decided_on="2026-06-01", served_on="2026-06-02")
    assert court.put(listing("l-2", decision=earlier)).verdict == "CONFLICT"


def test_a_revocation_of_another_subjects_document_touches_nothing() -> None:
    court = Court()
    court.put(listing())
    assert court.put(revoked(subject=uscc(5))).verdict == "HELD"
    assert court.record().state == "LISTED"


def test_a_revocation_that_names_another_case_is_refused() -> None:
    court = Court()
    court.put(listing())
    entry = court.put(revoked(case_id="WH-9"))
    assert (entry.verdict, codes(entry)) == ("REFUSED", {"E_LINK_CONFLICT"})
