"""kill -9 of broker and publisher at random moments, under load and failing receivers."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from tests.system.stories import stories
from tests.system.world import PATIENCE_S, wait_until

if TYPE_CHECKING:
    from tests.system.conftest import MakeWorld
    from tests.system.world import World

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]
KILLS = 12  # of each service
CASES = 800  # about 2,000 events
SEED = 20261125


def test_kill_9_at_random_moments_loses_doubles_and_disorders_nothing(make_world: MakeWorld) -> None:
    chance = random.Random(SEED)
    told = stories(CASES, "kill", chance)
    assert len(told.messages) >= 2000
    with make_world(told) as world:
        world.fail(0.2)
        broker, publisher = world.broker(batch_events=40), world.publisher()
        share = len(told.messages) // KILLS
        for round_of in range(KILLS):
            last = round_of == KILLS - 1
            world.stack.emit(told.messages[round_of * share : None if last else (round_of + 1) * share])
            _let_go_on(world, "select count(*) from inbox", chance.randrange(5, share))
            broker.kill()
            broker.start()
            _let_go_on(world, "select count(*) from ledger", chance.randrange(5, 4 * share))
            publisher.kill()
            publisher.start()
        world.wait_settled(2 * PATIENCE_S)
        repeats = world.check()
        unknown = world.query("select reader, count(*) from ledger where outcome = 'UNKNOWN' group by 1")
        for receiver, announced in unknown:
            assert repeats[receiver] <= announced, "more repeats than attempts of unknown outcome"
        killed = world.value("select count(*) from ledger where error = 'OWNER_LOST'")
        assert killed <= KILLS * 64 * len(repeats), "max_unsettled bounds what a crash can repeat"
        uncertain = world.value(
            "select count(*) from ledger where outcome = 'UNKNOWN' and error <> 'OWNER_LOST'"
        )
        assert sum(repeats.values()) <= killed + uncertain


def _let_go_on(world: World, count: str, enough: int) -> None:
    """Until `count` has grown by `enough`, or there is nothing left to do."""
    begun = world.value(count)
    emitted = world.stack.produced()

    def done() -> bool:
        return world.value(count) >= begun + enough or (
            world.registered() >= emitted and not world.query("select from parked_delivery limit 1")
        )

    wait_until(done, f"{count}: {enough} more")
