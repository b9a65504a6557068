"""The reader knows every model's codes and personal fields; one that it could not follow fails at once."""

from __future__ import annotations

from typing import Annotated, ClassVar

import pytest
from pydantic import Strict

from schemas.codes import Code
from schemas.events import EVENT_TYPES, EventData, ListingDecided, read_data
from schemas.events.parts import Authority, Part
from schemas.events.plan import plan_of
from schemas.events.types import Uscc  # noqa: TC001  pydantic reads it at run time


def test_all_codes_and_private_fields_of_a_listing_are_known() -> None:
    plan = plan_of(ListingDecided)
    assert set(plan.single) == {("enterprise", "uscc"), ("authority", "uscc")}
    assert plan.listed == (("co_authorities", "uscc"),)
    assert plan.private == {
        "enterprise.uscc",
        "enterprise.legal_rep",
        "authority.uscc",
        "co_authorities.uscc",
    }


@pytest.mark.parametrize("model", EVENT_TYPES.values())
def test_every_registered_model_can_be_read_and_its_partial_twin_needs_nothing(
    model: type[EventData],
) -> None:
    assert EVENT_TYPES[model.event_type] is model
    partial = plan_of(model).partial.model_validate({})
    assert isinstance(partial, model)
    assert set(partial.model_dump().values()) == {None}


def test_a_code_on_the_data_itself_is_found_and_one_too_deep_is_an_error() -> None:
    class Flat(EventData):
        event_type: ClassVar[str] = "flat"
        new_uscc: Uscc
        old_uscc: Uscc | None = None
        successors: tuple[Uscc, ...] = ()

    class Middle(Part):
        authority: Authority

    class Deep(EventData):
        event_type: ClassVar[str] = "deep"
        middle: Middle

    assert plan_of(Flat).single == (("", "new_uscc"), ("", "old_uscc"))
    assert plan_of(Flat).listed == (("successors", ""),)
    with pytest.raises(TypeError, match=r"middle\.authority\.uscc"):
        plan_of(Deep)


def test_codes_in_lists_are_read_like_all_others(monkeypatch: pytest.MonkeyPatch) -> None:
    class Split(EventData):
        event_type: ClassVar[str] = "split"
        uscc: Uscc
        successors: Annotated[tuple[Uscc, ...], Strict(strict=False)]

    monkeypatch.setitem(EVENT_TYPES, Split.event_type, Split)
    good = read_data("split", {"uscc": "91150303m0000b027f", "successors": ["91150302M0000A016M"]})
    assert isinstance(good.data, Split)
    assert (good.data.uscc, good.data.successors) == ("91150303M0000B027F", ("91150302M0000A016M",))
    assert [warning.field for warning in good.warnings] == ["data.uscc"]
    bad = read_data("split", {"uscc": "91150303M0000B027F", "successors": ["91150302M0000A016N", 5]})
    assert {(finding.code, finding.field) for finding in bad.findings} == {
        (Code.E_USCC_CHECKSUM, "data.successors[0]"),
        (Code.E_SCHEMA, "data.successors[1]"),
    }
    assert bad.invalid >= {"data.successors"}
