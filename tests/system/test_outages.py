"""PostgreSQL away for 20 s, Kafka restarted, all receivers down for 20 s: all resumes by itself."""

from __future__ import annotations

import random
import time

import pytest

from liancheng.embedded.scratch import scratch_folder
from liancheng.local import LocalStack
from tests.system.conftest import world_on
from tests.system.stories import stories
from tests.system.world import PATIENCE_S, wait_until

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]
OUTAGE_S = 20.0


def test_all_resumes_after_database_kafka_and_receivers_were_away() -> None:
    told = stories(400, "outage", random.Random(11))
    quarter = len(told.messages) // 4
    with scratch_folder("liancheng-system-") as folder, world_on(LocalStack(folder), told) as world:
        assert world.stack.postgres is not None
        assert world.stack.kafka is not None
        world.fail(0.1)
        services = [world.broker().ready(), world.publisher().ready()]
        world.stack.emit(told.messages[:quarter])
        wait_until(lambda: world.value("select count(*) from ledger") > 20, "deliveries are under way")

        world.stack.postgres.stop("immediate")
        world.stack.emit(told.messages[quarter : 2 * quarter])
        _outage()
        world.stack.postgres.start()
        wait_until(lambda: world.registered() == 2 * quarter, "intake resumes after PostgreSQL's return")

        world.simulator.kill()
        world.stack.emit(told.messages[2 * quarter : 3 * quarter])
        _outage()
        parked = world.value("select count(*) from parked_delivery")
        assert parked > 0, "what could not be delivered waits, visibly"
        world.simulator.start().ready()
        world.fail(0.1)

        world.stack.kafka.restart()
        world.stack.emit(told.messages[3 * quarter :])
        world.wait_settled(2 * PATIENCE_S)
        repeats = world.check()
        uncertain = world.value("select count(*) from ledger where outcome = 'UNKNOWN'")
        assert sum(repeats.values()) <= uncertain
        assert all(service.is_running() for service in services), "no process had to be restarted"
        for service in services:
            service.ready()


def _outage() -> None:
    """The length of the outage is what is tested: there is no condition to wait for."""
    time.sleep(OUTAGE_S)
