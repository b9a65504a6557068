from __future__ import annotations

from typing import TYPE_CHECKING

import asyncpg
import pytest_asyncio

from tests.publisher.stand import Stand, simulator_for

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.stack import TestDatabase

CODES = ("LAND", "TAX", "BANK", "BUY")


@pytest_asyncio.fixture
async def stand(database: TestDatabase, tmp_path: Path) -> AsyncIterator[Stand]:
    """A database, a simulator of four receivers, and whatever publishers the test starts."""
    pool = await asyncpg.create_pool(database.superuser_dsn, min_size=1, max_size=4)
    with simulator_for(tmp_path, *CODES) as simulator:
        made = Stand(database, pool, simulator, tmp_path)
        try:
            yield made
        finally:
            made.close()
            await pool.close()
