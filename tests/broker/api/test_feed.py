"""The change feed of an area: order, paging, what a reader is shown, and what it is told when it asks
wrongly.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from services.broker.api.cursors import write_cursor
from tests.broker.api.conftest import serving
from tests.broker.api.register import body

if TYPE_CHECKING:
    from schemas.catalogue.catalogue import Catalogue
    from tests.broker.api.conftest import World
    from tests.broker.api.http_client import Client
    from tests.stack import TestDatabase

pytestmark = pytest.mark.asyncio
PATH = "/v1/feeds/SA08/changes"
REVOKED = body(state="REVOKED", cause="REVOKED")


async def all_items(client: Client, *, limit: int = 100) -> tuple[list[dict[str, Any]], str]:
    """Page until the end is reached; pages must follow each other without gap or overlap."""
    items: list[dict[str, Any]] = []
    cursor, follows = None, 1
    while True:
        page = (await client.get(PATH, limit=limit, **({"cursor": cursor} if cursor else {}))).json
        assert page["from_sequence"] == follows
        items, cursor = items + page["items"], page["next"]
        if page["to_sequence"] < page["from_sequence"]:
            return items, page["next"]
        follows = page["to_sequence"] + 1


async def test_versions_come_in_feed_order_with_the_stored_bytes(world: World) -> None:
    client = await world.agency()
    await world.register.version("R1")
    first = (await client.get(PATH)).json
    await world.register.version(
        "R1", 2, op="FLAG", of=body(flags=[{"flag": "OBJECTED", "since": "2022-04-01"}])
    )
    await world.register.version("R2")
    await world.register.version("R1", 3, op="RETRACT", cause="REVOKED", of=REVOKED)
    second = await client.get(PATH, cursor=first["next"])
    shown = [
        (
            item["sequence"],
            item["record_uid"],
            item["version"],
            item["op"],
            item["cause"],
            item["superseded_by"],
        )
        for item in first["items"] + second.json["items"]
    ]
    assert shown == [
        (1, "R1", 1, "UPSERT", None, None),
        (2, "R1", 2, "FLAG", None, 3),
        (3, "R2", 1, "UPSERT", None, None),
        (4, "R1", 3, "RETRACT", "REVOKED", None),
    ]
    assert (first["from_sequence"], first["to_sequence"]) == (1, 1)
    assert (second.json["from_sequence"], second.json["to_sequence"]) == (2, 4)
    stored = await world.register.connection.fetchval("select body from feed where seq = 3")
    assert b'"record":' + stored + b"}" in second.body
    assert second.json["items"][2]["record"] == REVOKED


async def test_a_reader_that_starts_late_gets_newest_versions_and_learns_nothing_of_what_ended(
    world: World,
) -> None:
    await world.register.version("ENDED")
    await world.register.version("STANDS")
    await world.register.version("ENDED", 2, op="RETRACT", cause="REVOKED", of=REVOKED)
    await world.register.version("STANDS", 2)
    client = await world.agency()
    for limit in (1, 2, 100):
        items, _ = await all_items(client, limit=limit)
        shown = [
            (item["record_uid"], item["op"], item["superseded_by"], bool(item["record"])) for item in items
        ]
        assert shown == [
            ("ENDED", "UPSERT", 2, False),
            ("STANDS", "UPSERT", 2, False),
            ("ENDED", "RETRACT", None, False),
            ("STANDS", "UPSERT", None, True),
        ], "whatever the size of its pages"


async def test_states_before_listing_never_appear_but_the_cursor_passes_them(world: World) -> None:
    await world.register.version("FACT", areas=(), of=body(state="FACT_FOUND", areas=()))
    page = (await (await world.agency()).get(PATH)).json
    assert page["items"] == []
    assert (page["from_sequence"], page["to_sequence"]) == (1, 1)


async def test_a_full_page_ends_at_its_last_item_and_a_short_one_at_the_end_of_what_was_looked_at(
    database: TestDatabase, catalogue: Catalogue
) -> None:
    async with serving(database, catalogue, api_feed_scan_rows=4) as world:
        for number in range(1, 11):
            await world.register.version(f"R{number}", areas=("SA08",) if number in {2, 9} else ("SA01",))
        client, pages = await world.agency(), []
        cursor: dict[str, Any] = {}
        for _ in range(4):
            page = (await client.get(PATH, limit=1, **cursor)).json
            cursor = {"cursor": page["next"]}
            uids = [item["record_uid"] for item in page["items"]]
            pages.append((page["from_sequence"], page["to_sequence"], uids))
        assert pages == [(1, 2, ["R2"]), (3, 6, []), (7, 9, ["R9"]), (10, 10, [])]
        waited = (await client.get(PATH, limit=1, wait=5, cursor=page_cursor(2, 10))).json
        assert (waited["from_sequence"], waited["to_sequence"]) == (3, 9), (
            "a wait looks on until there is something"
        )


def page_cursor(position: int, began_at: int = 0, area: str = "SA08") -> str:
    return write_cursor(f"feed:{area}", position, began_at)


async def test_the_link_leads_to_the_next_page(world: World) -> None:
    await world.register.version("R1")
    await world.register.version("R2", of=body("91150304M0000C0389"))
    client = await world.agency()
    page = await client.get(PATH, limit=1)
    link = page.headers["link"]
    assert link == f'<{PATH}?limit=1&cursor={page.json["next"]}>; rel="next"'
    following = await client.get(link[1 : link.index(">")])
    assert [item["record_uid"] for item in following.json["items"]] == ["R2"]


async def test_every_page_that_covers_rows_is_on_the_ledger_with_the_hash_of_its_bytes(world: World) -> None:
    client = await world.agency()
    await client.get(PATH)
    await world.register.version("R1")
    await world.register.version("R2", areas=("SA01",))
    page = await client.get(PATH)
    again = await client.get(PATH, cursor=page.json["next"])
    assert (again.json["from_sequence"], again.json["to_sequence"]) == (3, 2)
    rows = await world.register.connection.fetch(
        "select kind, area, from_seq, to_seq, items, response_sha256, reader from ledger"
    )
    assert [tuple(row)[:5] for row in rows] == [("PAGE", "SA08", 1, 2, 1)], "pages of no row tell nothing"
    assert rows[0]["response_sha256"] == hashlib.sha256(page.body).digest()
    assert rows[0]["reader"].startswith("key:")


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"cursor": "nonsense"}, "E_CURSOR"),
    ({"cursor": ""}, "E_CURSOR"),
    ({"cursor": "汉字"}, "E_CURSOR"),
    ({"cursor": page_cursor(0, area="SA01")}, "E_CURSOR"),
    ({"limit": 0}, "greater_than_equal"),
    ({"limit": -1}, "greater_than_equal"),
    ({"limit": 1001}, "less_than_equal"),
    ({"limit": "many"}, "int_parsing"),
    ({"wait": 61}, "less_than_equal"),
    ({"wait": -0.1}, "greater_than_equal"),
    ({"wait": "inf"}, "less_than_equal"),
    ({"wait": "nan"}, "greater_than_equal"),
    ({"wait": "long"}, "float_parsing"),
    ({"kursor": "x"}, "extra_forbidden"),
]


async def test_wrong_parameters_are_refused_with_what_was_expected(world: World) -> None:
    client = await world.agency()
    for query, code in WRONG:
        answer = await client.get(PATH, **query)
        assert (answer.status, answer.code) == (422, "E_CURSOR" if code == "E_CURSOR" else "E_PARAMETER"), (
            query
        )
        found = answer.json["errors"][0]
        assert (found["field"], found["code"]) == (next(iter(query)), code)


async def test_a_cursor_beyond_the_feed_is_gone_and_an_unknown_area_is_not_there(world: World) -> None:
    client = await world.agency()
    answer = await client.get(PATH, cursor=page_cursor(7))
    assert (answer.status, answer.code) == (410, "E_CURSOR_AHEAD")
    answer = await client.get("/v1/feeds/SA99/changes")
    assert (answer.status, answer.code) == (404, "E_UNKNOWN_AREA")


async def test_what_a_retract_says_to_who_may_hold_the_record_is_the_record_itself(world: World) -> None:
    """Even if the listing and its end came between two polls: better told twice than not."""
    client = await world.agency()
    start = (await client.get(PATH)).json["next"]
    await world.register.version("R1")
    await world.register.version("R1", 2, op="RETRACT", cause="REVOKED", of=REVOKED)
    items = (await client.get(PATH, cursor=start)).json["items"]
    assert [(item["op"], item["record"] is not None) for item in items] == [
        ("UPSERT", False),
        ("RETRACT", True),
    ]
    assert orjson.dumps(items[1]["record"]) == orjson.dumps(REVOKED)
