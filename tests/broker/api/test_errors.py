"""Whatever goes wrong is a problem document, and the log line that belongs to it names nobody."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import asyncpg
import pytest
import structlog
from structlog.testing import capture_logs

from services.broker.api.models import Problem
from services.runtime.postgres import DatabaseLimits
from tests.broker.api.conftest import serving
from tests.broker.api.register import USCC, Register
from tests.broker.api.test_feed_waiting import waiting_in

if TYPE_CHECKING:
    from schemas.catalogue.catalogue import Catalogue
    from tests.broker.api.conftest import World
    from tests.broker.api.http_client import Answer
    from tests.stack import TestDatabase

pytestmark = pytest.mark.asyncio
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def problem(answer: Answer) -> Problem:
    assert answer.headers["content-type"] == "application/problem+json"
    found = Problem.model_validate_json(answer.body)
    assert (found.status, found.type) == (answer.status, f"urn:liancheng:problem:{found.code}")
    assert found.trace_id == answer.headers["trace-id"]
    return found


async def test_404_and_405_are_problems(world: World) -> None:
    client = await world.asker("admin")
    assert problem(await client.get("/v1/nothing")).code == "E_NOT_FOUND"
    answer = await client.ask("POST", "/v1/inbox")
    assert (problem(answer).code, answer.status, answer.headers["allow"]) == ("E_METHOD", 405, "GET")
    assert problem(await client.get("/v1/inbox/")).status == 404, "no redirects"


async def test_an_unexpected_error_is_a_bare_500_under_its_trace_id(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError(f"secret about {USCC}")

    monkeypatch.setattr("services.broker.api.records.shown_record", fail)
    await world.register.version("R1")
    client = await world.auditor()
    with capture_logs() as logs:
        answer = await client.get("/v1/records/R1")
    assert problem(answer).code == "E_INTERNAL"
    assert b"secret" not in answer.body
    (failed,) = [line for line in logs if line["event"] == "request_failed"]
    assert failed["error"] == "RuntimeError"


@pytest.mark.parametrize("limit", ["statement_timeout_ms", "lock_timeout_ms"])
async def test_a_statement_that_takes_too_long_is_unavailable(
    database: TestDatabase, catalogue: Catalogue, limit: str
) -> None:
    limits = DatabaseLimits(**{limit: 200})
    async with serving(database, catalogue, limits=limits) as world:
        client = await world.auditor()
        async with world.register.connection.transaction():
            await world.register.connection.execute("lock table destination in access exclusive mode")
            token = await other_key(database)
            answer = await client.with_key(token).get("/v1/destinations")
        assert answer.status == 503
        assert problem(answer).code == "E_QUERY_TIMEOUT"


async def other_key(database: TestDatabase) -> str:
    """A key made outside the transaction that the test has open."""
    connection = await asyncpg.connect(database.superuser_dsn)
    try:
        return (await Register(connection).key("audit:read")).text()
    finally:
        await connection.close()


async def test_no_free_connection_is_unavailable(database: TestDatabase, catalogue: Catalogue) -> None:
    async with serving(database, catalogue, api_database_connections=1, api_acquire_seconds=0.1) as world:
        client = await world.auditor()
        async with world.app.state.api.pool.acquire():
            answer = await client.get("/v1/inbox")
        assert (answer.status, problem(answer).code) == (503, "E_DATABASE")


async def test_too_many_open_requests_are_turned_away_but_health_answers(
    database: TestDatabase, catalogue: Catalogue
) -> None:
    async with serving(database, catalogue, api_connections_max=1) as world:
        client = await world.agency()
        _, writer = await client.send("GET", "/v1/feeds/SA08/changes", wait=5)
        await waiting_in(world)
        assert problem(await client.get("/v1/check", uscc=USCC, area="SA08")).code == "E_BUSY"
        assert (await world.client.get("/livez")).status == 200
        writer.close()


async def test_the_log_has_route_and_trace_and_neither_path_nor_query(world: World) -> None:
    client = await world.agency()
    traceparent = f"00-{TRACE}-00f067aa0ba902b7-01"
    with capture_logs(processors=[structlog.contextvars.merge_contextvars]) as logs:
        answer = await client.get("/v1/records", uscc=USCC, headers={"traceparent": traceparent})
        await client.get(f"/v1/subjects/{USCC}", headers={"traceparent": "garbage"})
    assert answer.headers["trace-id"] == TRACE
    first, second = (line for line in logs if line["event"] == "request")
    assert (first["route"], first["status"], first["trace_id"]) == ("/v1/records", 200, TRACE)
    assert second["route"] == "/v1/subjects/{uscc}"
    assert len(second["trace_id"]) == 32
    assert USCC not in str(logs)
