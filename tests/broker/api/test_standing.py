"""Whether an enterprise is under a measure of an area: by its records and the day, and nothing else."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.broker.api.standing import NEVER_LISTED, acts_on, standing
from tests.broker.api.register import AUTHORITY, body

DAY = date(2022, 6, 1)
STATES = [
    "FACT_FOUND", "NOTIFIED", "DEFENCE", "CONSENT", "DECIDED", "LISTED", "SHIELDED", "SUSPENDED", "DROPPED",
    "REMOVED", "REVOKED",
]  # fmt: skip


def measure(start: str = "2022-03-10", end: str | None = "2025-03-10", area: str = "SA08") -> dict[str, Any]:
    return {"area": area, "code": "M0801", "start": start, "end": end}


def test_a_listed_record_stands_with_its_decision() -> None:
    flags = [{"flag": "OBJECTED", "since": "2022-04-01"}]
    found = standing([body(flags=flags)], "SA08", "AREA", DAY)
    assert found.listed
    assert (found.since, found.until) == (date(2022, 3, 10), date(2025, 3, 10))
    assert found.decision == {"doc_no": "乌工信列决字〔2022〕5号", "authority": AUTHORITY}
    assert [one["code"] for one in found.measures] == ["M0801"]
    assert found.flags == flags


@pytest.mark.parametrize("state", [state for state in STATES if state != "LISTED"])
def test_in_any_other_state_it_answers_as_never_listed(state: str) -> None:
    assert standing([body(state=state)], "SA08", "AREA", DAY) == NEVER_LISTED


def test_other_areas_do_not_count_and_no_record_is_never_listed() -> None:
    assert standing([body(areas=("SA01",))], "SA08", "AREA", DAY) == NEVER_LISTED
    assert standing([], "SA08", "AREA", DAY) == NEVER_LISTED


def test_the_first_and_the_last_day_are_both_under_the_measure() -> None:
    days = {
        day: standing([body()], "SA08", "AREA", date.fromisoformat(day)).listed
        for day in ("2022-03-09", "2022-03-10", "2025-03-10", "2025-03-11")
    }
    assert list(days.values()) == [False, True, True, False]


def test_several_records_give_the_first_start_the_last_end_and_the_earliest_decision() -> None:
    later = body(
        measures=[measure("2022-05-01", "2026-05-01")],
        decision={"doc_no": "later", "doc_type": "LISTING", "decided_on": "2022-04-20", "served_on": None},
        flags=[{"flag": "APPEALED", "since": "2022-05-02"}],
    )
    found = standing([later, body()], "SA08", "AREA", DAY)
    assert (found.since, found.until) == (date(2022, 3, 10), date(2026, 5, 1))
    assert found.decision is not None
    assert found.decision["doc_no"] == "乌工信列决字〔2022〕5号"
    assert len(found.measures) == 2
    assert [flag["flag"] for flag in found.flags] == ["APPEALED"]
    open_end = standing([body(), body(measures=[measure(end=None)])], "SA08", "AREA", DAY)
    assert (open_end.listed, open_end.until) == (True, None)


@pytest.mark.parametrize("state", STATES)
def test_price_measures_show_by_their_own_dates_until_the_record_is_revoked(state: str) -> None:
    price = {"area": "PRICE", "code": "PP01", "start": "2022-03-10", "end": None}
    found = standing([body(state=state, measures=[price])], "PRICE", "PRICE", DAY)
    assert (found.listed, found.since, found.decision) == (False, None, None)
    assert found.measures == ([] if state == "REVOKED" else [price])


dates = st.dates(date(2020, 1, 1), date(2030, 1, 1))


@given(day=dates, start=dates, days=st.integers(0, 1500) | st.none(), state=st.sampled_from(STATES))
def test_listed_means_that_a_listed_record_has_a_measure_acting_on_that_day(
    day: date, start: date, days: int | None, state: str
) -> None:
    end = None if days is None else (start + timedelta(days=days)).isoformat()
    acting = measure(start.isoformat(), end)
    found = standing([body(state=state, measures=[acting])], "SA08", "AREA", day)
    assert found.listed == (state == "LISTED" and acts_on(acting, day))
    assert found.listed == (
        state == "LISTED" and start <= day and (days is None or (day - start).days <= days)
    )
    assert (found == NEVER_LISTED) is not found.listed
