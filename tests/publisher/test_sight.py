"""A destination sees the measures of its areas and nothing of the others'."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from services.publisher.feed_row import Subscription
from services.publisher.sight import cut_to_areas

AREAS = st.sampled_from(["SA01", "SA03", "SA07", "PRICE", "CREDIT"])


@given(st.lists(AREAS, max_size=8), st.frozensets(AREAS))
def test_only_measures_of_the_grant_remain(found: list[str], granted: frozenset[str]) -> None:
    record = {
        "state": "LISTED",
        "names": [{"name": "虚构铁合金厂"}],
        "measures": [{"area": area, "code": f"M{number}"} for number, area in enumerate(found)],
        "severity": "SERIOUS",
    }
    cut = json.loads(cut_to_areas(json.dumps(record, ensure_ascii=False).encode(), granted))
    assert cut["measures"] == [m for m in record["measures"] if m["area"] in granted]  # type: ignore[index]
    assert {key: value for key, value in cut.items() if key != "measures"} == {
        key: value for key, value in record.items() if key != "measures"
    }
    assert list(cut) == list(record)


def test_bytes_stay_as_they_are_where_nothing_is_cut() -> None:
    body = b'{ "measures": [{"area": "SA01"}], "state":"LISTED"}'
    assert cut_to_areas(body, frozenset({"SA01", "SA02"})) is body
    assert cut_to_areas(b"{}", frozenset({"SA01"})) == b"{}"


def test_a_platform_is_shown_all_and_an_agency_its_areas() -> None:
    areas = frozenset({"SA01"})
    assert Subscription("NCISP", frozenset(), frozenset()).sight is None
    assert Subscription(None, areas, frozenset({"150300"})).sight == areas
