"""Fixtures of the broker's tests: pools and registers over a test's own database."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from services.runtime import logs
from services.runtime.postgres import DatabaseLimits, connect_pool
from tests.broker.stand import RegisterStand

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import asyncpg

    from tests.stack import TestDatabase


@pytest.fixture(autouse=True, scope="session")
def plain_logs() -> None:
    """JSON lines: structlog's default draws tracebacks with all local variables."""
    logs.configure("tests", "WARNING", "json")


@pytest_asyncio.fixture
async def broker_pool(database: TestDatabase) -> AsyncIterator[asyncpg.Pool]:
    pool = await connect_pool(database.broker_dsn, "tests", max_size=8, limits=DatabaseLimits())
    yield pool
    await pool.close()


@pytest_asyncio.fixture
async def stand(database: TestDatabase, broker_pool: asyncpg.Pool) -> AsyncIterator[RegisterStand]:
    """A register that has taken partition 0 over."""
    made = RegisterStand(database, broker_pool)
    await made.take(0)
    yield made
    await made.close()
