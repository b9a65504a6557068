"""Long polls: woken by commits, ended by stops; and no gap, no repeat while many write and many read."""

from __future__ import annotations

import asyncio
import random
import time
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from tests.broker.api.conftest import serving
from tests.broker.api.register import Register
from tests.broker.api.test_feed import page_cursor

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from schemas.catalogue.catalogue import Catalogue
    from tests.broker.api.conftest import World
    from tests.broker.api.http_client import Client
    from tests.stack import TestDatabase

pytestmark = pytest.mark.asyncio
PATH = "/v1/feeds/SA08/changes"
LISTENERS = """
select pid from pg_stat_activity
where application_name = 'liancheng-listen liancheng_feed' and datname = current_database()
"""


async def until(condition: Callable[[], Awaitable[object]], seconds: float = 5) -> None:
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110  what is waited for happens in other processes
            await asyncio.sleep(0.01)


async def waiting_in(world: World, polls: int = 1) -> None:
    """Until that many polls wait for the feed to move."""

    async def enough() -> bool:
        return bool(world.app.state.api.signal.waiting >= polls)

    await until(enough)


async def test_a_commit_wakes_all_waiting_polls_within_50_ms(world: World) -> None:
    client, delays = await world.agency(), []
    for number in range(1, 6):
        # Without a cursor a poll would begin anew, and answer at once.
        start = page_cursor(number - 1)
        polls = [asyncio.create_task(client.get(PATH, wait=10, cursor=start)) for _ in range(3)]
        await waiting_in(world, len(polls))
        await world.register.version(f"R{number}")
        committed = time.perf_counter()
        for answer in await asyncio.gather(*polls):
            assert [item["sequence"] for item in answer.json["items"]] == [number]
        delays.append(time.perf_counter() - committed)
    assert sorted(delays)[len(delays) // 2] < 0.05, delays


async def test_rows_of_other_areas_do_not_end_a_wait(world: World) -> None:
    client = await world.agency()
    poll = asyncio.create_task(client.get(PATH, wait=10))
    await waiting_in(world)
    await world.register.version("OTHER", areas=("SA01",))
    await world.register.version("OURS")
    page = (await poll).json
    assert [item["record_uid"] for item in page["items"]] == ["OURS"]
    assert (page["from_sequence"], page["to_sequence"]) == (1, 2)


async def test_a_wait_that_is_over_answers_with_what_was_passed(world: World) -> None:
    client = await world.agency()
    await world.register.version("OTHER", areas=("SA01",))
    before = time.perf_counter()
    page = (await client.get(PATH, wait=0.3)).json
    assert time.perf_counter() - before >= 0.3
    assert (page["items"], page["from_sequence"], page["to_sequence"]) == ([], 1, 1)
    assert await world.register.connection.fetchval("select (to_seq, items) from ledger") == (1, 0)


async def test_a_missed_notification_is_made_good_by_the_slow_poll(
    database: TestDatabase, catalogue: Catalogue
) -> None:
    async with serving(database, catalogue, api_feed_poll_seconds=0.2) as world:
        poll = asyncio.create_task((await world.agency()).get(PATH, wait=10))
        await waiting_in(world)
        await world.register.version("R1", notify=False)
        async with asyncio.timeout(2):
            assert len((await poll).json["items"]) == 1


async def test_a_lost_listening_connection_is_replaced(database: TestDatabase, catalogue: Catalogue) -> None:
    async with serving(database, catalogue, api_feed_poll_seconds=60) as world:
        client = await world.agency()
        poll = asyncio.create_task(client.get(PATH, wait=20))
        await waiting_in(world)
        lost = [row["pid"] for row in await world.register.connection.fetch(LISTENERS)]
        await world.register.connection.execute("select pg_terminate_backend(unnest($1::int[]))", lost)

        async def another() -> bool:
            pids = {row["pid"] for row in await world.register.connection.fetch(LISTENERS)}
            return bool(pids - set(lost))

        await until(another)
        await world.register.version("R1")
        async with asyncio.timeout(5):
            assert len((await poll).json["items"]) == 1


async def test_a_stop_ends_waits_at_once(database: TestDatabase, catalogue: Catalogue) -> None:
    async with serving(database, catalogue) as world:
        poll = asyncio.create_task((await world.agency()).get(PATH, wait=60))
        await waiting_in(world)
        before = time.perf_counter()
    answer = await poll
    assert (answer.status, answer.json["items"]) == (200, [])
    assert time.perf_counter() - before < 5


async def test_no_gap_and_no_repeat_while_rows_commit_and_pages_have_any_size(world: World) -> None:
    """Four writers whose transactions overlap, three readers with random pages, waits and an early start."""
    chance, each, writers = random.Random(20220310), 40, 4
    done = asyncio.Event()

    async def write(writer: int) -> None:
        connection = await asyncpg.connect(world.database.superuser_dsn)
        try:
            register = Register(connection)
            for number in range(each):
                areas = ("SA08",) if chance.random() < 0.6 else ("SA01",)
                if chance.random() < 0.3:
                    async with connection.transaction():
                        await register.version(f"W{writer}-{number}", areas=areas)
                        await asyncio.sleep(chance.random() / 200)
                else:
                    await register.version(f"W{writer}-{number}", areas=areas)
        finally:
            await connection.close()

    async def read(client: Client) -> list[tuple[int, str]]:
        seen: list[tuple[int, str]] = []
        cursor: dict[str, Any] = {}
        follows = 1
        while True:
            finished = done.is_set()
            page = (
                await client.get(
                    PATH, limit=chance.randint(1, 7), wait=chance.choice([0, 0, 0.05, 1]), **cursor
                )
            ).json
            assert page["from_sequence"] == follows
            seen += [(item["sequence"], item["record_uid"]) for item in page["items"]]
            cursor, follows = {"cursor": page["next"]}, page["to_sequence"] + 1
            if finished and page["to_sequence"] < page["from_sequence"]:
                return seen

    readers = [asyncio.create_task(read(await world.agency())) for _ in range(3)]
    await asyncio.gather(*(write(writer) for writer in range(writers)))
    done.set()
    rows = await world.register.connection.fetch(
        "select seq, record_uid from feed where 'SA08' = any(areas) order by seq"
    )
    expected = [(row["seq"], row["record_uid"]) for row in rows]
    assert 40 < len(expected) < each * writers
    for seen in await asyncio.gather(*readers):
        assert seen == expected
    pages = await world.register.connection.fetch(
        "select reader, sum(items) as items, max(to_seq) as upto, sum(to_seq - from_seq + 1) as rows"
        " from ledger group by reader"
    )
    for page in pages:
        assert (page["items"], page["upto"], page["rows"]) == (len(expected), each * writers, each * writers)
