"""Serving inside a running loop: prompt answers, orderly ends."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest

from services.broker.api.serve import serve
from tests.broker.api.conftest import serving
from tests.broker.api.http_client import read_answer
from tests.broker.api.test_feed_waiting import until

if TYPE_CHECKING:
    from schemas.catalogue.catalogue import Catalogue
    from tests.broker.api.conftest import World
    from tests.stack import TestDatabase

pytestmark = pytest.mark.asyncio


async def test_answers_on_a_kept_connection_do_not_wait_for_acknowledgements(world: World) -> None:
    """With Nagle's algorithm each would take the 40 ms of a delayed acknowledgement."""
    reader, writer = await world.client.send("GET", "/v1/catalogue", headers={"connection": "keep-alive"})
    await read_answer(reader)
    seconds = []
    for _ in range(10):
        began = time.perf_counter()
        writer.write(b"GET /v1/catalogue HTTP/1.1\r\nhost: api.test\r\n\r\n")
        assert (await read_answer(reader)).status == 200
        seconds.append(time.perf_counter() - began)
    writer.close()
    assert sorted(seconds)[2] < 0.03, seconds


async def test_a_taken_port_is_an_error(world: World) -> None:
    with pytest.raises(OSError, match="in use"):
        await serve(world.app, "127.0.0.1", world.client._port, asyncio.Event())


async def test_a_stop_lets_the_request_at_hand_finish(database: TestDatabase, catalogue: Catalogue) -> None:
    async with serving(database, catalogue) as world:
        client = await world.auditor()
        async with world.register.connection.transaction():
            await world.register.connection.execute("lock table destination in access exclusive mode")
            asked = asyncio.create_task(client.get("/v1/destinations"))

            async def blocked() -> bool:
                statement = (
                    "select count(*) from pg_locks where not granted and relation = 'destination'::regclass"
                )
                return bool(await world.register.connection.fetchval(statement))

            await until(blocked)
            world.stop.set()
            await asyncio.sleep(0)
            assert not asked.done()
        answer = await asked
        assert answer.status == 200
