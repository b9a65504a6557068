"""The projection of current records: damage is found, and rebuilding from the feed mends it."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.system.stories import stories
from tests.system.world import wait_until

if TYPE_CHECKING:
    from tests.system.conftest import MakeWorld
    from tests.system.world import World

pytestmark = pytest.mark.system


def command(world: World, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "liancheng.command", "rebuild", *arguments],
        env=os.environ | world.stack.environment("operator"),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_damage_is_found_and_mended(make_world: MakeWorld) -> None:
    told = stories(20, "rebuild", random.Random(3))
    with make_world(told) as world:
        world.broker()
        world.stack.emit(told.messages)
        wait_until(lambda: world.registered() == len(told.messages), "everything is judged")
        clean = command(world, "--check")
        assert (clean.returncode, clean.stdout) == (0, "20 records: the projection equals the feed\n")
        world.query(
            "update record set state = 'FACT_FOUND' where record_uid = (select min(record_uid) from record)"
        )
        world.query("delete from record where record_uid = (select max(record_uid) from record)")
        damaged = command(world, "--check")
        assert damaged.returncode == 1
        assert "2 differences in 20 records" in damaged.stdout
        assert command(world).stdout == "20 records rebuilt from the feed\n"
        assert command(world, "--check").returncode == 0
        world.check_records()
