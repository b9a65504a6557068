"""Two brokers and two publishers together; one of each joins and one leaves in mid-stream."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from tests.system.stories import stories
from tests.system.world import wait_until

if TYPE_CHECKING:
    from tests.system.conftest import MakeWorld

pytestmark = [pytest.mark.system, pytest.mark.timeout(180)]


def test_brokers_and_publishers_join_and_leave_in_mid_stream(make_world: MakeWorld) -> None:
    told = stories(500, "scale", random.Random(7))
    with make_world(told) as world:
        world.fail(0.1)
        brokers = [world.broker(), world.broker()]
        publishers = [world.publisher(), world.publisher()]
        for service in (*brokers, *publishers):
            service.ready()
        quarter = len(told.messages) // 4
        world.stack.emit(told.messages[:quarter])
        wait_until(lambda: world.registered() > 0, "the stream has begun")
        joining = (world.broker(), world.publisher())
        world.stack.emit(told.messages[quarter : 2 * quarter])
        for service in joining:
            service.ready()
        world.stack.emit(told.messages[2 * quarter : 3 * quarter])
        assert brokers[0].stop(30) == 0
        assert publishers[0].stop(30) == 0
        world.stack.emit(told.messages[3 * quarter :])
        world.wait_settled()
        repeats = world.check()
        uncertain = world.value("select count(*) from ledger where outcome = 'UNKNOWN'")
        assert sum(repeats.values()) <= uncertain
        pushed = world.query("select distinct publisher from ledger where outcome = 'ACCEPTED'")
        assert len(pushed) >= 2
        left_open = world.query("select from ledger where error in ('OWNER_LOST', 'STOPPED_WAITING')")
        assert not left_open, "an orderly leave leaves nothing unknown"
