"""A page is on the ledger before its answer leaves: whatever happens to the answer, the ledger knows."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import asyncpg
import pytest

from tests.broker.api.test_feed_waiting import until, waiting_in

if TYPE_CHECKING:
    from tests.broker.api.conftest import World

pytestmark = pytest.mark.asyncio
PATH = "/v1/feeds/SA08/changes"


async def test_the_answer_waits_for_the_commit_of_its_ledger_entry(world: World) -> None:
    await world.register.version("R1")
    client = await world.agency()
    locker = await asyncpg.connect(world.database.superuser_dsn)
    try:
        async with locker.transaction():
            await locker.execute("lock table ledger in share mode")  # readers pass, writers wait
            poll = asyncio.create_task(client.get(PATH))

            async def blocked() -> bool:
                statement = (
                    "select count(*) from pg_locks where not granted and relation = 'ledger'::regclass"
                )
                return bool(await world.register.connection.fetchval(statement))

            await until(blocked)
            done, _ = await asyncio.wait({poll}, timeout=0.2)
            assert not done
        answer = await poll
        assert answer.status == 200
    finally:
        await locker.close()
    assert await world.register.connection.fetchval("select to_seq from ledger") == 1


async def test_a_page_that_cannot_be_put_on_the_ledger_is_not_served(world: World) -> None:
    await world.register.version("R1")
    client = await world.agency()
    await world.register.connection.execute("revoke insert on ledger from liancheng_api")
    answer = await client.get(PATH)
    assert (answer.status, answer.code) == (500, "E_INTERNAL")
    assert b"R1" not in answer.body


async def test_a_reader_that_hung_up_is_still_on_the_ledger(world: World) -> None:
    await world.register.version("R1")
    client = await world.agency()
    _, writer = await client.send("GET", PATH)
    writer.transport.abort()

    async def on_ledger() -> bool:
        return bool(await world.register.connection.fetchval("select count(*) from ledger where items = 1"))

    await until(on_ledger)


async def test_a_reader_that_hung_up_while_it_waited_may_hold_what_came_then(world: World) -> None:
    client = await world.agency()
    _, writer = await client.send("GET", PATH, wait=10)
    await waiting_in(world)
    writer.transport.abort()
    await world.register.version("R1")

    async def on_ledger() -> bool:
        return bool(await world.register.connection.fetchval("select count(*) from ledger where items = 1"))

    await until(on_ledger)
