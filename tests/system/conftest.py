from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from liancheng.embedded.scratch import scratch_folder
from liancheng.local import LocalStack, Topics
from tests.system.world import RECEIVERS, World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from tests.stack import TestDatabase
    from tests.system.stories import Stories

    MakeWorld = Callable[..., AbstractContextManager[World]]


@contextmanager
def world_on(stack: LocalStack, told: Stories) -> Iterator[World]:
    """The four receivers and their destinations on a stack; no broker and no publisher runs yet."""
    with stack:
        simulator = stack.spawn_simulator(RECEIVERS)
        stack.load_destinations(
            {"code": code, "areas": ["SA01"], "regions": ["150300"], "shards": 2} for code in RECEIVERS
        )
        simulator.ready()
        yield World(stack, simulator, told)


@pytest.fixture
def make_world(database: TestDatabase, kafka_server: str) -> MakeWorld:
    """`with make_world(stories) as world`, on the servers of the session, with topics of its own."""

    @contextmanager
    def make(told: Stories) -> Iterator[World]:
        run = uuid4().hex[:8]
        topics = Topics(
            events=f"events-{run}", verdicts=f"verdicts-{run}", group=f"brokers-{run}", partitions=4
        )
        with scratch_folder("liancheng-system-") as folder:
            stack = LocalStack(folder, postgres=database, kafka=kafka_server, topics=topics)
            with world_on(stack, told) as world:
                yield world

    return make
