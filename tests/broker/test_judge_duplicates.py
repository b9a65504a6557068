"""Idempotency: the same event, the same act, and what is neither (`RULINGS` I2)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.broker.events import SUBJECT, Court, changed, codes, decision, listing, overdue, revoked, uscc


def test_the_same_event_again_is_a_duplicate_of_the_first() -> None:
    court = Court()
    first, again = court.put_all((listing(), listing()))
    assert (again.verdict, again.duplicate_of) == ("DUPLICATE", first)
    assert court.verdicts[1]["duplicate_of"] == {"source": "//wuhai/miit/credit", "id": "l-1"}
    assert len(court.versions) == 1


def test_the_same_event_with_other_content_is_a_conflict_and_overwrites_nothing() -> None:
    court = Court()
    court.put(listing())
    entry = court.put(changed(listing(), "data.failure_reason", "F02"))
    assert (entry.verdict, codes(entry)) == ("CONFLICT", {"E_CONFLICTING_DUPLICATE"})
    assert court.record().body["reasons"] == ["F01"]
    assert court.put(listing()).verdict == "DUPLICATE"


@pytest.mark.parametrize(
    "written",
    [
        {"data.decision.doc_no": "乌工信列决[2026]2号"},
        {"data.decision.doc_no": "乌工信列决【2026】 2号"},
        {"data.decision.doc_no": "乌工信列决〔２０２６〕２号"},
        {"data.enterprise.name": " 乌海市示例石灰有限公司 "},
        {"data.bases": list(reversed(listing()["data"]["bases"]))},
        {"data.unknown": "ignored", "time": "2026-05-13T00:00:00Z", "data.trace_id": "t-9"},
        {"id": "l-9", "source": "//wuhai/other"},
    ],
)
def test_the_same_act_however_it_was_typed_is_a_duplicate(written: dict[str, Any]) -> None:
    court = Court()
    court.put(listing())
    again = listing()
    for path, value in written.items():
        again = changed(again, path, value)
    assert court.put(again).verdict == "DUPLICATE"


@pytest.mark.parametrize("same_id", [True, False])
def test_the_same_id_for_another_enterprise_is_a_conflict_also_without_a_code_in_the_data(
    same_id: bool,
) -> None:
    court = Court()
    court.put(revoked())
    entry = court.put(revoked("r-1" if same_id else "r-2", subject=uscc(7)))
    assert entry.verdict == ("CONFLICT" if same_id else "HELD")


def test_one_document_number_of_two_authorities_or_on_two_subjects_is_two_acts() -> None:
    other = {"name": "乌海市海南区工信和科技局", "uscc": "11150303M0000N134L", "region": "150303"}
    court = Court()
    verdicts = [
        court.put(event).verdict
        for event in (
            listing(),
            listing("l-2", case_id="HN-1", authority=other),
            listing("l-3", subject=uscc(3), case_id="WH-3"),
        )
    ]
    assert verdicts == ["ACCEPTED"] * 3
    assert len({version.record_uid for version in court.versions}) == 3


def test_a_refused_event_occupies_no_key() -> None:
    court = Court()
    assert court.put(changed(listing(), "data.bases", [])).verdict == "REFUSED"
    assert court.put(listing()).verdict == "ACCEPTED"


def test_a_fact_and_its_listing_are_two_acts_but_a_fact_with_the_decision_is_the_listing() -> None:
    court = Court()
    assert court.put(overdue()).verdict == "ACCEPTED"
    assert court.put(listing()).verdict == "ACCEPTED"
    assert court.put(overdue("o-2", decision=decision())).verdict == "DUPLICATE"
    assert court.record().version == 2


POOR, FULL = "poor", "full"
COMPLETIONS = [
    ({"served_on": ...}, {}),
    ({"notice": ...}, {}),
    ({"notice": {"served_on": "2026-04-20", "defence": "OPEN"}}, {}),
    ({"notice": {"served_on": "2026-04-20"}}, {}),
    ({"notice": {"served_on": "2026-04-20"}}, {"notice": {"served_on": "2026-04-20", "doc_no": "告1号"}}),
]


def _with(changes: dict[str, Any], event_id: str) -> dict[str, Any]:
    event = listing(event_id)
    for name, value in changes.items():
        event = changed(event, f"data.decision.{name}", value)
    return event


@pytest.mark.parametrize(("poor", "full"), COMPLETIONS)
def test_the_fuller_report_completes_the_poorer_and_the_poorer_after_it_is_a_duplicate(
    poor: dict[str, Any], full: dict[str, Any]
) -> None:
    court = Court()
    first, second = court.put_all((_with(poor, POOR), _with(full, FULL)))
    assert court.record().state == "LISTED"
    assert court.put(_with(poor, "poor again")).verdict == "DUPLICATE"
    assert court.put(_with(full, "full again")).verdict == "DUPLICATE"
    # A notice without a word on the defence is closed by its window: then the fuller one has no effect.
    assert {first.verdict, second.verdict} <= {"ACCEPTED", "CONTEXT"}
    assert first.record_uid == court.record().record_uid


def test_held_reports_of_one_decision_are_all_settled_by_the_one_that_completes_them() -> None:
    court = Court()
    nothing, served, full = court.put_all(
        (
            _with({"notice": ..., "served_on": ...}, "a"),
            _with({"notice": ...}, "b"),
            _with({}, "c"),
        )
    )
    assert [entry.verdict for entry in (nothing, served, full)] == ["ACCEPTED"] * 3
    assert {entry.record_uid for entry in (nothing, served, full)} == {court.record().record_uid}
    held = [verdict["event"]["id"] for verdict in court.verdicts if verdict["verdict"] == "HELD"]
    assert held == ["a", "b"]
    assert full.act_key is not None
    assert nothing.act_key is served.act_key is None


@pytest.mark.parametrize(
    "changes",
    [
        {"served_on": "2026-05-13"},
        {"notice": {"served_on": "2026-04-21", "defence": "CLOSED"}},
        {"decided_on": "2026-05-10"},
        {"document_sm3": "0" * 64},
    ],
)
def test_a_report_that_differs_otherwise_is_a_conflict(changes: dict[str, Any]) -> None:
    court = Court()
    court.put(_with({}, "a"))
    entry = court.put(_with(changes, "b"))
    assert (entry.verdict, codes(entry)) == ("CONFLICT", {"E_CONFLICTING_DUPLICATE"})


def test_two_courts_may_revoke_one_decision_and_one_judgment_two_decisions() -> None:
    court = Court()
    court.put(listing())
    court.put(
        listing("l-2", case_id="WH-2", decision=decision("乌工信列决〔2026〕3号"), dimensions=["QUALITY"])
    )
    first = court.put(revoked("r-1"))
    other_court = {"by": "乌海市中级人民法院", "doc_no": "〔2026〕内03行终1号", "decided_on": "2026-10-01"}
    second = court.put(revoked("r-2", revoking=other_court))
    same_judgment = court.put(revoked("r-3", case_id="WH-2", doc_no="乌工信列决〔2026〕3号"))
    assert [entry.verdict for entry in (first, second, same_judgment)] == ["ACCEPTED", "CONTEXT", "ACCEPTED"]
    assert {record.state for record in court.situation.records_of(SUBJECT)} == {"REVOKED"}
