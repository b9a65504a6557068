from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import date
from typing import TYPE_CHECKING, Any, NamedTuple

import asyncpg
import pytest
import pytest_asyncio
import structlog
from prometheus_client import CollectorRegistry

from schemas.catalogue.load import load_catalogue
from services.broker.api.app import create_app
from services.broker.api.options import ApiSettings
from services.broker.api.serve import serve
from services.runtime.postgres import DatabaseLimits, connect_pool
from tests.broker.api.http_client import Client
from tests.broker.api.register import Register

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from fastapi import FastAPI

    from schemas.catalogue.catalogue import Catalogue
    from services.broker.status import BrokerStatus
    from tests.stack import TestDatabase

TODAY = date(2022, 6, 1)


class World(NamedTuple):
    """A migrated database, a server over it, a hand that writes what others would, and a client without a
    key.
    """

    register: Register
    client: Client
    app: FastAPI
    database: TestDatabase
    stop: asyncio.Event

    async def asker(self, *scopes: str, areas: tuple[str, ...] = (), regions: tuple[str, ...] = ()) -> Client:
        token = await self.register.key(*scopes, areas=areas, regions=regions)
        return self.client.with_key(token.text())

    async def agency(self, area: str = "SA08", region: str = "150300") -> Client:
        """An agency of one area and region with every scope that agencies have."""
        return await self.asker("check:read", "feed:read", "records:read", areas=(area,), regions=(region,))

    async def auditor(self) -> Client:
        return await self.asker("audit:read", "records:read", "feed:read", "check:read")


@pytest.fixture(autouse=True)
def plain_logs() -> Iterator[None]:
    """structlog's default draws tracebacks with all local variables, which takes seconds."""
    structlog.configure(
        [
            structlog.contextvars.merge_contextvars,
            structlog.processors.format_exc_info,
            structlog.processors.KeyValueRenderer(),
        ]
    )
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def catalogue() -> Catalogue:
    return load_catalogue()


@asynccontextmanager
async def serving(
    database: TestDatabase,
    catalogue: Catalogue,
    *,
    status: BrokerStatus | None = None,
    limits: DatabaseLimits | None = None,
    **options: Any,
) -> AsyncIterator[World]:
    """A server on a free port; stopped, and seen to stop, at the end."""
    chosen = {"api_key_cache_seconds": 0.0, "api_database_connections": 6, **options}
    settings = ApiSettings(api_database_url=database.api_dsn, api_port=0, **chosen)
    pool = await connect_pool(
        database.api_dsn, "test-api", max_size=settings.api_database_connections, limits=limits
    )
    app = create_app(
        pool=pool,
        options=settings,
        catalogue=catalogue,
        today=lambda: TODAY,
        registry=CollectorRegistry(),
        status=status,
    )
    stop = asyncio.Event()
    listening: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    server = asyncio.create_task(
        serve(app, "127.0.0.1", 0, stop, listening=lambda _host, port: listening.set_result(port))
    )
    connection = await asyncpg.connect(database.superuser_dsn)
    try:
        async with asyncio.timeout(10):
            while not listening.done():
                await asyncio.wait([server], timeout=0.01)
                if server.done():
                    server.result()
        yield World(Register(connection), Client(listening.result()), app, database, stop)
    finally:
        stop.set()
        async with asyncio.timeout(15):
            await server
        await connection.close()
        await pool.close()


@pytest_asyncio.fixture
async def world(database: TestDatabase, catalogue: Catalogue) -> AsyncIterator[World]:
    async with serving(database, catalogue) as made:
        yield made
