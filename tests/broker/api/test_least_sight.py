"""An agency sees its areas and regions and nothing else, even where a handler forgets to filter."""

from __future__ import annotations

from typing import TYPE_CHECKING

import asyncpg
import pytest

from services.broker.api.keys import Principal
from tests.broker.api.register import OTHER_USCC, USCC, body

if TYPE_CHECKING:
    from tests.broker.api.conftest import World

pytestmark = pytest.mark.asyncio

TABLES_OF_ALL_ONLY = ("inbox", "verdict", "subject")


def agency(*areas: str, regions: tuple[str, ...] = ("150300",)) -> Principal:
    return Principal("a" * 16, frozenset({"feed:read"}), frozenset(areas), frozenset(regions))


async def populate(world: World) -> None:
    await world.register.version("OURS", areas=("SA08",))
    await world.register.version("OTHER-AREA", areas=("SA01",))
    await world.register.version("OTHER-REGION", areas=("SA08",), regions=("320400", "320000"))
    await world.register.version("FACT", areas=(), of=body(state="FACT_FOUND", areas=()))
    await world.register.inbox()
    await world.register.attempt("BANK", "OURS", 1, "ACCEPTED")


async def test_a_query_without_any_filter_sees_the_grant_only(world: World) -> None:
    await populate(world)
    api = world.app.state.api
    async with api.seen_by(agency("SA08")) as connection:
        for table in ("feed", "record"):
            rows = await connection.fetch(f"select record_uid from {table}")  # noqa: S608
            assert [row["record_uid"] for row in rows] == ["OURS"], table
        for table in (*TABLES_OF_ALL_ONLY, "ledger"):
            assert await connection.fetchval(f"select count(*) from {table}") == 0, table  # noqa: S608
    auditor = Principal("b" * 16, frozenset({"audit:read"}), frozenset(), frozenset())
    async with api.seen_by(auditor) as connection:
        assert await connection.fetchval("select count(*) from feed") == 4
        assert await connection.fetchval("select count(*) from ledger") == 1


async def test_a_city_covers_its_districts_and_a_district_does_not_cover_its_city(world: World) -> None:
    await world.register.version("DISTRICT", regions=("150303", "150300", "150000"))
    await world.register.version("CITY", regions=("150300", "150000"))
    seen = {}
    for region in ("150303", "150300", "150000", "320400"):
        async with world.app.state.api.seen_by(agency("SA08", regions=(region,))) as connection:
            rows = await connection.fetch("select record_uid from feed order by seq")
            seen[region] = [row["record_uid"] for row in rows]
    both = ["DISTRICT", "CITY"]
    assert seen == {"150303": ["DISTRICT"], "150300": both, "150000": both, "320400": []}


async def test_with_no_sight_told_nothing_is_seen_and_a_sight_ends_with_its_transaction(world: World) -> None:
    await populate(world)
    connection = await asyncpg.connect(world.database.api_dsn)
    try:
        for _ in range(2):
            assert await connection.fetchval("select count(*) from feed") == 0
            async with connection.transaction():
                await connection.execute("select set_config('liancheng.sight', 'all', true)")
                assert await connection.fetchval("select count(*) from feed") == 4
        await connection.execute("select set_config('liancheng.sight', 'grant', false)")
        assert await connection.fetchval("select count(*) from feed") == 0
    finally:
        await connection.close()


async def test_nobody_writes_pages_in_the_name_of_another_or_anything_but_pages(world: World) -> None:
    api = world.app.state.api
    statement = "insert into ledger (kind, reader, settled_at) values ($1, $2, now())"
    for kind, reader in (("PAGE", "key:somebody"), ("ATTEMPT", "key:" + "a" * 16), ("ATTEMPT", "BANK")):
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
            async with api.seen_by(agency("SA08"), writes=True) as connection:
                await connection.execute(statement, kind, reader)
    async with api.seen_by(agency("SA08"), writes=True) as connection:
        await connection.execute(statement, "PAGE", "key:" + "a" * 16)


async def test_all_answers_keep_to_the_grant(world: World) -> None:
    await populate(world)
    client = await world.agency()
    page = await client.get("/v1/feeds/SA08/changes")
    assert [item["record_uid"] for item in page.json["items"]] == ["OURS"]
    assert page.json["to_sequence"] == 4
    found = await client.get("/v1/records", case_id="WH-2021-0007")
    assert [item["record_uid"] for item in found.json["items"]] == ["OURS"]
    found = await client.get(f"/v1/subjects/{USCC}")
    assert [item["record_uid"] for item in found.json["items"]] == ["OURS"]
    for uid in ("OTHER-AREA", "OTHER-REGION", "FACT", "NONE"):
        answer = await client.get(f"/v1/records/{uid}")
        assert (answer.status, answer.code) == (404, "E_NO_RECORD"), uid
    assert (await client.get("/v1/feeds/SA01/changes")).code == "E_AREA_NOT_GRANTED"
    assert (await client.get("/v1/check", uscc=USCC, area="SA01")).code == "E_AREA_NOT_GRANTED"
    changzhou = await world.agency(region="320400")
    assert [item["record_uid"] for item in (await changzhou.get("/v1/feeds/SA08/changes")).json["items"]] == [
        "OTHER-REGION"
    ]


async def test_measures_of_other_areas_are_cut_from_what_an_agency_sees(world: World) -> None:
    await world.register.version("R", areas=("SA01", "SA08"))
    uncut = body(areas=("SA01", "SA08"))
    client, auditor = await world.agency(), await world.auditor()
    for asker, areas in ((client, ["SA08"]), (auditor, ["SA01", "SA08"])):
        records = [
            (await asker.get("/v1/feeds/SA08/changes")).json["items"][0]["record"],
            (await asker.get("/v1/records/R")).json,
            (await asker.get("/v1/records", uscc=USCC)).json["items"][0],
        ]
        for record in records:
            assert [measure["area"] for measure in record["measures"]] == areas
        assert records[0] == {**uncut, "measures": records[0]["measures"]}


async def test_an_agency_learns_no_other_readers_of_a_record(world: World) -> None:
    await populate(world)
    record = (await (await world.agency()).get("/v1/records/OURS")).json
    assert record["destinations"] is None
    assert record["public"] is None


async def test_another_enterprise_is_not_found_by_the_wrong_code(world: World) -> None:
    await world.register.version("R")
    answer = await (await world.agency()).get(f"/v1/subjects/{OTHER_USCC}")
    assert (answer.status, answer.json) == (200, {"items": [], "next": None, "uscc": OTHER_USCC})
