"""Killed, paused, joined and left by other publishers: nothing lost, nothing doubled, the fence holds."""

from __future__ import annotations

import asyncio
import random
import signal
from typing import TYPE_CHECKING

import asyncpg
import pytest

from tests.publisher.stand import Stand, simulator_for, until
from tests.stack import PostgresServer, create_database

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import PrivatePostgres

pytestmark = pytest.mark.asyncio
RECEIVERS = ("LAND", "TAX", "BANK", "BUY")
MAX_UNSETTLED = 64


def failing(share: float) -> list[dict[str, object]]:
    return [
        {"kind": "status", "status": 503, "probability": share / 2},
        {"kind": "reset", "probability": share / 4, "stored": True},
        {"kind": "truncated", "probability": share / 4, "stored": True},
    ]


async def test_kill_9_at_random_moments_loses_and_doubles_nothing(stand: Stand) -> None:
    chance = random.Random(20261125)
    await stand.destinations(*RECEIVERS)
    for receiver in RECEIVERS:
        stand.simulator.faults(receiver, {"kind": "status", "status": 503, "probability": 0.2})
    kills = 0
    process = stand.publisher("p0")
    for round_of in range(8):
        await stand.register(*[(f"R{chance.randrange(80)}", "UPSERT") for _ in range(120)])
        begun = len(await stand.ledger("1"))

        async def goes_on(begun: int = begun, enough: int = chance.randrange(5, 300)) -> bool:
            return await stand.all_settled() or len(await stand.ledger("1")) > begun + enough

        await until(goes_on, f"round {round_of}")
        process.end(signal.SIGKILL)
        kills += 1
        process = stand.publisher(f"p{kills}")
    await stand.settled(60)
    repeats = await stand.check_everything(*RECEIVERS)
    for receiver, repeated in repeats.items():
        assert repeated <= kills * MAX_UNSETTLED, receiver
    unknown = await stand.ledger("reader", "outcome = 'UNKNOWN' and error = 'OWNER_LOST'")
    assert sum(repeats.values()) <= len(unknown), "every repeat was announced as unknown first"


async def test_a_paused_publisher_is_fenced(stand: Stand) -> None:
    """SIGSTOP past the lease, another takes over, SIGCONT: late results are refused, nothing new leaves."""
    await stand.destinations("LAND")
    stand.simulator.faults("LAND", {"kind": "latency", "seconds": 0.3, "count": 24})
    paused = stand.publisher("paused")
    await stand.register(*[(f"R{n}", "UPSERT") for n in range(200)])

    async def in_mid_flight() -> bool:
        return len(stand.simulator.arrivals("LAND")) >= 16

    await until(in_mid_flight, "requests are on the wire")
    paused.send(signal.SIGSTOP)
    written = len(stand.simulator.arrivals("LAND"))
    stand.publisher("heir")
    await stand.settled()
    by_heir = len(stand.simulator.arrivals("LAND"))
    paused.send(signal.SIGCONT)

    async def knows() -> bool:
        return len(paused.logged("lease_lost")) == 4

    await until(knows, "the paused publisher knows that its leases are lost")
    assert len(stand.simulator.arrivals("LAND")) - by_heir <= 16, "at most one request a connection"
    repeats = await stand.check_everything("LAND")
    assert repeats["LAND"] <= written
    after = await stand.ledger(
        "publisher",
        "publisher = 'paused' and settled_at > (select min(settled_at) from ledger where publisher = 'heir')",
    )
    assert after == [], "a late result got past the fence"
    tokens = {row[0] for row in await stand.ledger("token", "publisher = 'heir'")}
    assert tokens == {2}


async def test_publishers_join_and_leave_in_mid_stream(stand: Stand) -> None:
    await stand.destinations(*RECEIVERS)
    for receiver in RECEIVERS:
        stand.simulator.faults(receiver, *failing(0.1))
    first, second = stand.publisher("first"), stand.publisher("second")

    async def shared(count: int) -> bool:
        owners = await stand.pool.fetch(
            "select owner, count(*) from lease where owner is not null and expires_at > now() group by 1"
        )
        return len(owners) == count and max(row[1] for row in owners) <= -(-16 // count)

    await until(lambda: shared(2), "two share the leases")
    stream = asyncio.create_task(_stream(stand, batches=40))
    await asyncio.sleep(0)
    stand.publisher("third")
    await until(lambda: shared(3), "three share the leases")
    assert first.end(signal.SIGTERM) == 0
    await until(lambda: shared(2), "two share the leases again")
    second.end(signal.SIGKILL)
    await stream
    await stand.settled()
    repeats = await stand.check_everything(*RECEIVERS)
    publishers = {
        row[0] for row in await stand.ledger("distinct publisher, entry_id", "outcome = 'ACCEPTED'")
    }
    assert publishers >= {"first", "third"}
    unknown = len(await stand.ledger("1", "outcome = 'UNKNOWN'"))
    assert sum(repeats.values()) <= unknown


async def _stream(stand: Stand, batches: int) -> None:
    for batch in range(batches):
        await stand.register(*[(f"R{batch}x{n}", "UPSERT") for n in range(20)])
        await asyncio.sleep(0.05)


async def test_a_database_that_goes_away_and_comes_back(
    private_postgres: PrivatePostgres, tmp_path: Path
) -> None:
    server = private_postgres()
    server.start()
    database = await create_database(PostgresServer(server.superuser_dsn()))
    pool = await asyncpg.create_pool(database.superuser_dsn, min_size=1, max_size=4)
    with simulator_for(tmp_path, *RECEIVERS) as simulator:
        stand = Stand(database, pool, simulator, tmp_path)
        try:
            await stand.destinations(*RECEIVERS)
            for receiver in RECEIVERS:
                simulator.faults(receiver, *failing(0.2))
            process = stand.publisher("one")
            await stand.register(*[(f"R{n}", "UPSERT") for n in range(300)])
            for mode in ("fast", "immediate"):

                async def goes_on() -> bool:
                    return len(await stand.ledger("1")) > 100

                await until(goes_on, "deliveries are under way")
                await pool.close()
                server.stop(mode)

                async def noticed(mode: str = mode) -> bool:
                    return bool(process.logged("settle_retried") or process.logged("database_unreachable"))

                await until(noticed, "the publisher notices")
                server.start()
                stand.pool = pool = await asyncpg.create_pool(database.superuser_dsn, min_size=1, max_size=4)
                await stand.register(*[(f"R{n}", "UPSERT") for n in range(0, 300, 3)])
            await stand.settled(40)
            repeats = await stand.check_everything(*RECEIVERS)
            unknown = len(await stand.ledger("1", "outcome = 'UNKNOWN'"))
            assert sum(repeats.values()) <= unknown
            assert process.process.poll() is None
        finally:
            stand.close()
            await pool.close()
