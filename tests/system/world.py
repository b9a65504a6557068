"""A whole system for a test: the stack, what was told to it, and the books that must agree in the end."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import asyncpg

from services.broker.rebuild import Difference, compare

if TYPE_CHECKING:
    from collections.abc import Callable

    from liancheng.local import LocalStack, ServiceProcess, SimulatorProcess
    from tests.system.stories import Stories

RECEIVERS = ("R1", "R2", "R3", "R4")
# Back-offs, leases and time-outs of seconds, so that failures and recoveries fit into a test.
PUBLISHER: dict[str, object] = {
    "retry_base_seconds": 0.05,
    "retry_cap_seconds": 0.5,
    "lease_seconds": 1.5,
    "lease_margin_seconds": 0.2,
    "claim_seconds": 0.25,
    "poll_seconds": 0.3,
}
WIRE = {"first_byte_seconds": 2, "whole_seconds": 3}
BROKER: dict[str, object] = {"batch_events": 100, "poll_milliseconds": 100, "kafka_session_timeout_ms": 6000}
PATIENCE_S = 60.0


def wait_until(holds: Callable[[], bool], what: str, seconds: float = PATIENCE_S) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.05)


@dataclass
class World:
    stack: LocalStack
    simulator: SimulatorProcess
    told: Stories

    def query(self, statement: str, *values: object) -> list[asyncpg.Record]:
        async def run() -> list[asyncpg.Record]:
            connection = await asyncpg.connect(self.stack.dsn("migrator"))
            try:
                rows: list[asyncpg.Record] = await connection.fetch(statement, *values)
                return rows
            finally:
                await connection.close()

        return asyncio.run(run())

    def value(self, statement: str, *values: object) -> Any:
        return self.query(statement, *values)[0][0]

    def broker(self, **settings: object) -> ServiceProcess:
        return self.stack.spawn_broker(**BROKER | settings)

    def publisher(self, **settings: object) -> ServiceProcess:
        return self.stack.spawn_publisher(WIRE, **PUBLISHER | settings)

    def fail(self, share: float, receivers: tuple[str, ...] = RECEIVERS) -> None:
        """Let receivers fail a share of requests: refused, reset, cut off, some of them after storing."""
        for receiver in receivers:
            self.simulator.set_faults(
                receiver,
                {"kind": "status", "status": 503, "probability": share / 2},
                {"kind": "reset", "probability": share / 4, "stored": True},
                {"kind": "truncated", "probability": share / 4},
            )

    # Progress ------------------------------------------------------------------------------------------

    def registered(self) -> int:
        return int(self.value("select count(*) from inbox"))

    def settled(self) -> bool:
        """Everything told is judged, every lease stands at the end of the feed, and nothing is parked."""
        return self.registered() >= len(self.told.messages) and bool(
            self.value(
                "select bool_and(position >= f.feed and position >= intent_to) and count(*) > 0"
                " and not exists (select from parked_delivery) from lease, sequence_head f"
            )
        )

    def wait_settled(self, seconds: float = PATIENCE_S) -> None:
        try:
            wait_until(self.settled, "everything judged and settled", seconds)
        except AssertionError as error:
            error.add_note(str(self.query("select * from lease")))
            error.add_note(str(self.query("select * from partition_cursor")))
            error.add_note(f"{self.registered()} of {len(self.told.messages)} judged")
            for service in self.stack.services:
                tail = service.log_path.read_text("utf-8")[-2000:]
                error.add_note(f"{service.name} running: {service.is_running()}\n{tail}")
            raise

    # The books -----------------------------------------------------------------------------------------

    def check(self) -> Counter[str]:
        """All invariants; answers the repeats by receiver."""
        self.check_conservation()
        self.check_records()
        self.check_projection()
        return Counter({receiver: self.check_receiver(receiver) for receiver in RECEIVERS})

    def check_conservation(self) -> None:
        produced = self.stack.produced()
        assert produced == len(self.told.messages)
        verdicts = {row[0]: row[1] for row in self.query("select verdict, count(*) from inbox group by 1")}
        assert verdicts == self.told.verdicts
        assert sum(verdicts.values()) == produced
        places = self.value("select count(distinct (topic, kafka_partition, kafka_offset)) from inbox")
        assert places == produced, "a message judged twice or not at all"
        letters = self.value("select count(*) from dead_letter")
        assert letters == self.told.verdicts.get("REFUSED", 0)

    def check_records(self) -> None:
        rows = self.query(
            "select r.case_id, r.version, f.op, (select array_agg(version order by seq) from feed"
            " where record_uid = r.record_uid) from record r join feed f on f.seq = r.seq"
        )
        assert {row[0]: (row[1], row[2]) for row in rows} == self.told.ends
        for case, version, _, history in rows:
            assert history == list(range(1, version + 1)), f"{case}: versions {history}"
        numbers = self.query("select count(*), min(seq), max(seq) from feed")[0]
        assert tuple(numbers) == (numbers[2], 1, numbers[2]), "the feed has a gap"

    def check_projection(self) -> None:
        """The table of current records is what the feed makes of them."""

        async def run() -> tuple[int, list[Difference]]:
            connection = await asyncpg.connect(self.stack.dsn("migrator"))
            try:
                return await compare(connection)
            finally:
                await connection.close()

        records, differences = asyncio.run(run())
        assert records == len(self.told.ends)
        assert differences == []

    def check_receiver(self, receiver: str) -> int:
        newest: Counter[str] = Counter()
        seen: Counter[tuple[str, int]] = Counter()
        for arrival in self.simulator.arrivals(receiver):
            uid, version = arrival["record_uid"], arrival["version"]
            assert version >= newest[uid], f"{receiver}: version {version} of {uid} after {newest[uid]}"
            newest[uid] = version
            seen[uid, version] += 1
        counts = self.simulator.counts()[receiver]
        assert counts["stale"] == 0
        assert counts["bad_signature"] == 0
        held = {
            item["record_uid"]: (item["version"], item["op"]) for item in self.simulator.records(receiver)
        }
        owed = {row[0]: (row[1], row[2]) for row in self.query(
            "select r.record_uid, r.version, f.op from record r join feed f on f.seq = r.seq"
        )}  # fmt: skip
        assert held == owed, f"{receiver} does not hold what it is owed"
        ledgered = Counter({(row[0], row[1]): row[2] for row in self.query(
            "select record_uid, version, count(*) from ledger where kind = 'ATTEMPT'"
            " and reader = $1 group by 1, 2",
            receiver,
        )})  # fmt: skip
        missing = seen - ledgered
        assert not missing, f"{receiver} saw requests that the ledger does not account for: {missing}"
        doubled = self.query(
            "select seq from ledger where reader = $1 and outcome in ('ACCEPTED', 'SUPERSEDED')"
            " group by 1 having count(*) > 1",
            receiver,
        )
        assert not doubled, f"{receiver}: a version settled twice"
        return int(counts["duplicates"])
