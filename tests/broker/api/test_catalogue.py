"""The public catalogue: whole, for everybody, and not sent again to those who have it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from schemas.codes import Code

if TYPE_CHECKING:
    from schemas.catalogue.catalogue import Catalogue
    from tests.broker.api.conftest import World

pytestmark = pytest.mark.asyncio


async def test_all_parts_are_listed_and_answer_whole(world: World, catalogue: Catalogue) -> None:
    index = (await world.client.get("/v1/catalogue")).json["items"]
    parts = {}
    for entry in index:
        answer = await world.client.get(entry["path"])
        parts[entry["part"]] = answer.json["items"]
        assert len(answer.json["items"]) == entry["items"] > 0
        assert answer.json["next"] is None
    assert [area["code"] for area in parts["areas"]] == list(catalogue.areas)
    assert [measure["code"] for measure in parts["measures"]] == list(catalogue.measures)
    assert {code["code"] for code in parts["codes"]} == set(Code)
    assert all(code["zh"] and code["en"] for code in parts["codes"])
    assert {"LISTED", "REVOKED"} <= {term["code"] for term in parts["terms"] if term["table"] == "states"}


async def test_an_entity_tag_spares_the_body(world: World) -> None:
    first = await world.client.get("/v1/catalogue/measures")
    tag = first.headers["etag"]
    for given in (tag, f"W/{tag}", f'"other", {tag}'):
        again = await world.client.get("/v1/catalogue/measures", headers={"if-none-match": given})
        assert (again.status, again.body, again.headers["etag"]) == (304, b"", tag)
    other = await world.client.get("/v1/catalogue/areas", headers={"if-none-match": tag})
    assert other.status == 200


async def test_a_part_that_does_not_exist_is_a_problem(world: World) -> None:
    answer = await world.client.get("/v1/catalogue/secrets")
    assert (answer.status, answer.code) == (404, "E_NOT_FOUND")
