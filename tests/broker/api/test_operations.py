"""What operators look at: destinations with their backlog, settings without secrets, metrics."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from services.broker.api.models_inside import DestinationList

if TYPE_CHECKING:
    from tests.broker.api.conftest import World

pytestmark = pytest.mark.asyncio


async def test_destinations_show_state_and_backlog_per_shard(world: World) -> None:
    register = world.register
    for number in range(10):
        await register.version(f"R{number}")
    await register.destination(
        "BANK", shards=2, areas=["SA07"], regions=["150300"], state="STOPPED", state_reason="410"
    )
    await register.destination("NEW", shards=1, start_after=4)
    await register.lease("BANK", 0, owner="p1", token=3, position=7, intent_to=9)
    await register.lease("BANK", 1, owner="p2", token=1, position=10, intent_to=10)
    for seq, shard in ((3, 0), (5, 0), (6, 1)):
        await register.parked(
            "BANK", f"R{seq}", seq=seq, shard=shard, parked_at=datetime(2026, 1, seq, tzinfo=UTC)
        )
    answer = await (await world.auditor()).get("/v1/destinations")
    shown = DestinationList.model_validate_json(answer.body)
    bank, new = shown.items
    assert shown.feed_head == 10
    assert (bank.code, bank.state, bank.state_reason, bank.lag, bank.parked) == (
        "BANK",
        "STOPPED",
        "410",
        3,
        3,
    )
    assert bank.oldest_parked_at == datetime(2026, 1, 3, tzinfo=UTC)
    assert [(one.shard, one.owner, one.token, one.lag, one.parked, one.intent_to) for one in bank.shards] == [
        (0, "p1", 3, 3, 2, 9),
        (1, "p2", 1, 0, 1, 10),
    ]
    assert (new.lag, new.shards[0].position, new.shards[0].owner) == (6, 4, None), (
        "unclaimed: it starts there"
    )


async def test_settings_are_shown_without_their_secrets(world: World) -> None:
    answer = await (await world.asker("admin")).get("/v1/settings")
    assert answer.json["api_page_max"] == 1000
    assert answer.json["api_database_url"] == "**********"
    assert world.database.api_dsn.encode() not in answer.body


async def test_requests_are_counted_by_route_and_never_by_path(world: World) -> None:
    client = await world.asker("metrics:read")
    await client.get("/v1/subjects/91150303M0000B027F")
    answer = await client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    line = 'liancheng_api_requests_total{method="GET",route="/v1/subjects/{uscc}",status="403"} 1.0'
    assert line in answer.body.decode()
    assert "liancheng_api_polls_waiting 0.0" in answer.body.decode()
    assert b"91150303M0000B027F" not in answer.body
