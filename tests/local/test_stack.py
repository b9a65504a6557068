"""A stack on the servers of the session: its services as processes, their signals, their logs, their end."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import time
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import asyncpg
import orjson
import pytest

from liancheng.demo.expectations import read_events
from liancheng.embedded.lifecycle import ServerStartError
from liancheng.embedded.scratch import scratch_folder
from liancheng.local import LocalStack, RawMessage, Topics
from liancheng.local.client import Client, ReplyError
from schemas.database import roles
from services.broker.api.scopes import Scope

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.stack import TestDatabase

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]
DEADLINE_S = 60.0


def eventually(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def asked(dsn: str, query: str) -> Any:
    async def ask() -> Any:
        connection = await asyncpg.connect(dsn)
        try:
            return await connection.fetchval(query)
        finally:
            await connection.close()

    return asyncio.run(ask())


@pytest.fixture
def stack(database: TestDatabase, kafka_server: str) -> Iterator[LocalStack]:
    run = uuid4().hex[:8]
    topics = Topics(f"events-{run}", f"verdicts-{run}", f"brokers-{run}", partitions=2)
    with scratch_folder("liancheng-test-") as folder:
        stack = LocalStack(folder, postgres=database, kafka=kafka_server, topics=topics)
        with stack:
            yield stack


def test_events_reach_receivers_of_its_own_through_processes_that_die_and_come_back(
    stack: LocalStack,
) -> None:
    simulator = stack.spawn_simulator(["R1", "R2"])
    stack.load_destinations(
        [{"code": "R1", "channel": "NCISP"}, {"code": "R2", "areas": ["SA01"], "regions": ["320400"]}]
    )
    broker = stack.spawn_broker()
    publisher = stack.spawn_publisher(lease_seconds=3, claim_seconds=0.5)
    for service in stack.services:
        service.ready()
    listing = read_events()["evt-0003"]

    assert stack.emit([listing, RawMessage(b"not JSON", key=b"x")]) == 2
    eventually(lambda: simulator.counts()["R1"]["accepted"] == 1, "the first push")
    assert stack.produced() == 2
    reader = stack.verdicts()
    verdicts: set[str] = set()

    def heard() -> bool:
        verdicts.update(verdict.data["verdict"] for verdict in reader.read(0.1))
        return len(verdicts) == 2

    eventually(heard, "two verdicts")
    reader.close()
    assert verdicts == {"ACCEPTED", "REFUSED"}
    (record,) = simulator.records("R1")
    assert record["op"] == "UPSERT"
    assert simulator.records("R2") == []

    port, first_pid = publisher.port, publisher.pid
    publisher.kill()
    assert not publisher.is_running()
    assert publisher.wait(0) == -signal.SIGKILL
    broker.restart().ready()
    publisher.start().ready()
    assert (publisher.port, publisher.pid) != (port, first_pid)
    assert publisher.port == port
    assert stack.emit([read_events()["evt-0010-0"]]) == 1
    eventually(lambda: simulator.counts()["R1"]["accepted"] == 2, "a push after the restarts")
    assert publisher.log_path.read_text("utf-8").count('"publisher_started"') == 2
    assert broker.stop() == 0
    assert broker.stop() == 0  # of the same end


def test_a_paused_one_runs_and_does_not_answer(stack: LocalStack) -> None:
    publisher = stack.spawn_publisher().ready()
    publisher.pause()
    assert publisher.is_running()
    with pytest.raises(ServerStartError, match=r"not ready after 0\.2 s"):
        publisher.ready(0.2)
    publisher.resume()
    publisher.ready()
    publisher.pause()
    assert publisher.stop() == 0  # woken, asked, and ended in order


def test_one_that_does_not_start_says_why(stack: LocalStack) -> None:
    publisher = stack.spawn_publisher(lease_seconds=0.1)
    with pytest.raises(ServerStartError, match="publisher-1 ended with status 2") as failed:
        publisher.ready()
    assert "LEASE_SECONDS" in str(failed.value)
    assert str(publisher.log_path) in str(failed.value)
    assert stack.spawn_publisher().name == "publisher-2"


def test_faults_and_keys(stack: LocalStack) -> None:
    simulator = stack.spawn_simulator(["R1"]).ready()
    simulator.set_faults("R1", {"kind": "down"})
    simulator.set_faults("R1")
    with pytest.raises(ReplyError, match="422"):
        simulator.set_faults("R1", {"kind": "unheard of"})
    broker = stack.spawn_broker().ready()
    assert Client(broker.url).request("GET", "/v1/records").status == 401
    auditor = Client(broker.url, stack.create_key(Scope.AUDIT))
    assert list(auditor.items("/v1/inbox")) == []
    with pytest.raises(ReplyError, match="403"):
        auditor.get("/v1/settings")


def test_an_operator_file_makes_commands_act_on_this_stack(stack: LocalStack) -> None:
    stack.spawn_simulator(["R1"])
    stack.load_destinations([{"code": "R1", "channel": "NCISP", "name_zh": "甲"}])
    file = stack.write_operator_file()
    assert file.stat().st_mode & 0o077 == 0
    script = f". {file} && env"
    shown = subprocess.run(["sh", "-c", script], capture_output=True, check=True, timeout=20)
    url = f"LIANCHENG_MIGRATOR_DATABASE_URL={stack.dsn(roles.MIGRATOR)}"
    assert url in shown.stdout.decode().splitlines()
    assert asked(stack.dsn("migrator"), "select name_zh from destination") == "甲"


def test_receivers_have_secrets_of_their_own(stack: LocalStack) -> None:
    stack.spawn_simulator(["R1", "R2"])
    listed = orjson.loads((stack.folder / "simulator-1.receivers.json").read_bytes())
    assert [entry["secret"] for entry in listed] == [stack.secret("R1"), stack.secret("R2")]
    assert stack.secret("R1") != stack.secret("R2")


def test_what_somebody_else_runs_is_left_running(database: TestDatabase, kafka_server: str) -> None:
    with scratch_folder("liancheng-test-") as folder:
        stack = LocalStack(folder, postgres=database, kafka=kafka_server)
        assert (stack.postgres, stack.kafka) == (None, None)
        stack.stop()
        stack.stop()
    assert asked(database.migrator_dsn, "select 1") == 1
