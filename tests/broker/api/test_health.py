"""Liveness is about this process, readiness about its work."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import asyncpg
import pytest

from services.broker.api.models_inside import Liveness, Readiness
from services.broker.status import BrokerStatus, PartitionStatus
from tests import stack
from tests.broker.api.conftest import serving
from tests.broker.api.register import USCC, Register
from tests.broker.api.test_feed_waiting import waiting_in

if TYPE_CHECKING:
    from schemas.catalogue.catalogue import Catalogue
    from tests.broker.api.conftest import World
    from tests.conftest import PrivatePostgres
    from tests.stack import TestDatabase

pytestmark = pytest.mark.asyncio


async def readiness(world: World) -> tuple[int, Readiness]:
    answer = await world.client.get("/readyz")
    return answer.status, Readiness.model_validate_json(answer.body)


async def test_a_process_that_only_serves_is_live_and_ready(world: World) -> None:
    answer = await world.client.get("/livez")
    assert answer.status == 200
    assert Liveness.model_validate_json(answer.body).broker is None
    assert await readiness(world) == (200, Readiness(ready=True, problems=[], broker=None))


async def test_a_stopped_database_makes_it_unready_but_not_dead_and_all_comes_back_with_it(
    private_postgres: PrivatePostgres, catalogue: Catalogue
) -> None:
    server = private_postgres()
    server.start()
    database = await stack.create_database(stack.PostgresServer(server.superuser_dsn()))
    async with serving(database, catalogue) as world:
        client = await world.agency()
        poll = asyncio.create_task(client.get("/v1/feeds/SA08/changes", wait=30))
        await waiting_in(world)
        server.stop("immediate")
        status, ready = await readiness(world)
        assert (status, ready.problems) == (503, ["database down"])
        assert (await world.client.get("/livez")).status == 200
        assert (await world.client.get("/v1/catalogue")).status == 200
        answer = await client.get("/v1/check", uscc=USCC, area="SA08")
        assert (answer.status, answer.code, answer.headers["retry-after"]) == (503, "E_DATABASE", "1")

        server.start()
        connection = await asyncpg.connect(database.superuser_dsn)
        try:
            await Register(connection).version("R1")
            answer = await poll
            assert [item["record_uid"] for item in answer.json["items"]] == ["R1"], (
                "the poll has slept through it"
            )
            assert (await readiness(world))[0] == 200
        finally:
            await connection.close()


async def test_a_database_that_became_read_only_is_not_ready(world: World) -> None:
    await world.register.connection.execute(
        f"alter role liancheng_api in database {world.database.name} set default_transaction_read_only = on"
    )
    await world.register.connection.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'liancheng_api'"
        " and datname = current_database()"
    )
    assert (await readiness(world))[1].problems == ["database read-only"]


async def test_no_partition_left_for_feed_or_ledger_is_not_ready(world: World) -> None:
    made_to = await world.register.connection.fetchval(
        "select made_to from partition_plan where parent = 'feed'"
    )
    await world.register.connection.execute("update sequence_head set feed = $1", made_to - 1)
    status, ready = await readiness(world)
    assert (status, ready.problems) == (503, ["no partition of feed left"])


async def test_the_brokers_own_troubles_are_told_with_their_reasons(
    database: TestDatabase, catalogue: Catalogue
) -> None:
    now = 1_000.0
    status = BrokerStatus(clock=lambda: now)
    async with serving(database, catalogue, status=status) as world:
        code, ready = await readiness(world)
        assert (code, ready.problems) == (503, ["not started"])
        status.started = True
        status.assignment[2] = PartitionStatus(2, 1, registered=5, log_end=9, moved_at=now)
        assert (await readiness(world))[0] == 200
        status.assignment[2].error = "LOG_TRUNCATED_BELOW"
        code, ready = await readiness(world)
        assert (code, ready.problems) == (503, ["partition 2: LOG_TRUNCATED_BELOW"])
        assert ready.broker is not None
        assert ready.broker["assignment"]["2"]["lag"] == 4
        assert (await world.client.get("/livez")).status == 200
        status.assignment[2].error = None
        now += 61
        status.loop_beat = now
        answer = await world.client.get("/livez")
        live = Liveness.model_validate_json(answer.body)
        assert (answer.status, live.live) == (503, False)
        assert live.broker is not None
        assert live.broker["stalled"] == "intake"
