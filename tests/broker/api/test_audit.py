"""The ledger read back: filters, times, pages; and that no entry is ever skipped, however late it commits."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from services.broker.api.models_inside import LedgerPage
from tests.broker.api.conftest import serving
from tests.broker.api.register import Register
from tests.broker.api.test_errors import other_key

if TYPE_CHECKING:
    from schemas.catalogue.catalogue import Catalogue
    from tests.broker.api.conftest import World
    from tests.broker.api.http_client import Client
    from tests.stack import TestDatabase

pytestmark = pytest.mark.asyncio
PATH = "/v1/audit/deliveries"
START = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)


async def all_entries(client: Client, **query: Any) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = []
    cursor: dict[str, Any] = {}
    while True:
        answer = await client.get(PATH, **query, **cursor)
        assert answer.status == 200, answer
        page = LedgerPage.model_validate_json(answer.body)
        entries += answer.json["items"]
        if page.next is None:
            return entries
        cursor = {"cursor": page.next}


async def ids(client: Client, **query: Any) -> list[int]:
    return [entry["entry_id"] for entry in await all_entries(client, **query)]


async def populate(register: Register) -> None:
    """Entries 1 to 12: two destinations, three records, one entry a minute."""
    for number in range(12):
        await register.attempt(
            ("BANK", "LAND")[number % 2],
            f"R{number % 3}",
            1 + number // 6,
            ("ACCEPTED", "ACCEPTED", "RETRYABLE", "UNKNOWN")[number % 4],
            settled_at=START + timedelta(minutes=number),
            request_sha256=bytes([number]) * 32,
        )


async def test_entries_are_filtered_by_record_destination_outcome_and_time(world: World) -> None:
    await populate(world.register)
    client = await world.auditor()
    assert await ids(client) == list(range(1, 13))
    assert await ids(client, record_uid="R1") == [2, 5, 8, 11]
    assert await ids(client, destination="LAND") == [2, 4, 6, 8, 10, 12]
    assert await ids(client, outcome="UNKNOWN") == [4, 8, 12]
    assert await ids(client, record_uid="R1", destination="LAND", outcome="UNKNOWN") == [8]
    times = {
        "from": (START + timedelta(minutes=3)).isoformat(),
        "to": (START + timedelta(minutes=6)).isoformat(),
    }
    assert await ids(client, **times) == [4, 5, 6]
    assert await ids(client, **times, record_uid="R0") == [4]
    assert await ids(client, record_uid="none") == []


async def test_an_entry_says_who_was_told_what_with_which_bytes(world: World) -> None:
    await world.register.attempt(
        "BANK", "R1", 3, "ACCEPTED", status=200, shard=2, token=7, publisher="p1", request_sha256=b"\xab" * 32
    )
    (entry,) = await all_entries(await world.auditor())
    assert entry["delivery_id"] == "R1.3.BANK"
    assert entry["request_sha256"] == "ab" * 32
    assert (entry["reader"], entry["status"], entry["shard"], entry["token"]) == ("BANK", 200, 2, 7)


async def test_pages_have_any_size_and_any_scan_and_lose_nothing(
    database: TestDatabase, catalogue: Catalogue
) -> None:
    options: dict[str, Any] = {"api_ledger_scan_rows": 5, "api_ledger_skew_seconds": 90.0}
    async with serving(database, catalogue, **options) as world:
        await populate(world.register)
        client = await world.auditor()
        for limit in (1, 2, 5, 100):
            assert await ids(client, limit=limit) == list(range(1, 13))
            assert await ids(client, limit=limit, destination="BANK", outcome="RETRYABLE") == [3, 7, 11]
            since = (START + timedelta(minutes=9)).isoformat()
            assert await ids(client, limit=limit, **{"from": since}) == [10, 11, 12]
            assert await ids(client, limit=limit, to=since, record_uid="R2") == [3, 6, 9]


async def test_a_time_is_found_although_entries_are_a_little_out_of_order(
    database: TestDatabase, catalogue: Catalogue
) -> None:
    async with serving(database, catalogue, api_ledger_skew_seconds=10.0) as world:
        moments = [START + timedelta(seconds=second) for second in (0, 9, 3, 20, 14, 25, 40, 33, 50)]
        for moment in moments:
            await world.register.attempt("BANK", "R1", 1, "ACCEPTED", settled_at=moment)
        client = await world.auditor()
        for since in range(0, 60, 3):
            asked = START + timedelta(seconds=since)
            found = await ids(client, **{"from": asked.isoformat()})
            assert found == [number for number, moment in enumerate(moments, 1) if moment >= asked]
            found = await ids(client, to=asked.isoformat())
            assert found == [number for number, moment in enumerate(moments, 1) if moment < asked]


async def test_an_entry_that_commits_after_a_later_one_is_waited_for_not_skipped(world: World) -> None:
    client = await world.auditor()
    early = await asyncpg.connect(world.database.superuser_dsn)
    try:
        transaction = early.transaction()
        await transaction.start()
        await Register(early).attempt("BANK", "EARLY", 1, "ACCEPTED")
        await world.register.attempt("BANK", "LATE", 1, "ACCEPTED")
        asked = asyncio.create_task(all_entries(client))
        done, _ = await asyncio.wait({asked}, timeout=0.3)
        assert not done, "it must not answer while entry 1 may still appear"
        await transaction.commit()
        assert [entry["record_uid"] for entry in await asked] == ["EARLY", "LATE"]
    finally:
        await early.close()


async def test_a_writer_that_does_not_end_makes_the_page_unavailable_not_short(
    database: TestDatabase, catalogue: Catalogue
) -> None:
    async with serving(database, catalogue, api_ledger_settle_seconds=0.1) as world:
        client = await world.auditor()
        async with world.register.connection.transaction():
            await world.register.attempt("BANK", "R1", 1, "ACCEPTED")
            token = await other_key(database)
            answer = await client.with_key(token).get(PATH)
            assert (answer.status, answer.code) == (503, "E_LEDGER_BUSY")
            assert answer.headers["retry-after"] == "1"
        assert len(await all_entries(client)) == 1


async def test_wrong_parameters_are_refused(world: World) -> None:
    client = await world.auditor()
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"from": "yesterday"}, "datetime_from_date_parsing"),
        ({"from": "2026-03-01T08:00:00"}, "timezone_aware"),
        ({"from": START.isoformat(), "to": START.isoformat()}, "greater_than"),
        ({"cursor": "x"}, "E_CURSOR"),
        ({"limit": 5000}, "less_than_equal"),
        ({"reader": "BANK"}, "extra_forbidden"),
    ]
    for query, code in wrong:
        answer = await client.get(PATH, **query)
        assert (answer.status, answer.json["errors"][0]["code"]) == (422, code), query
    await populate(world.register)
    cursor = (await client.get(PATH, limit=1, destination="BANK")).json["next"]
    assert (await client.get(PATH, limit=1, destination="LAND", cursor=cursor)).code == "E_CURSOR"
