"""A publisher's surroundings for tests: a feed to fill, destinations at a simulator, processes to kill."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import signal
import subprocess
import sys
import time
import zlib
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from liancheng.commands.destination import DestinationEntry, load
from tests.simulator.harness import SECRET, Simulator, running

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

    import asyncpg

    from tests.stack import TestDatabase

DATA_KEY = base64.b64encode(b"d" * 32).decode()
DEADLINE = 12.0
FEED = (
    "seq", "record_uid", "version", "kind", "op", "state", "cause", "subject", "lane", "lane_hash", "regions",
    "areas", "channels", "body", "registered_at",
)  # fmt: skip
QUICK = {
    "LIANCHENG_RETRY_BASE_SECONDS": "0.05",
    "LIANCHENG_RETRY_CAP_SECONDS": "0.5",
    "LIANCHENG_LEASE_SECONDS": "1.5",
    "LIANCHENG_LEASE_MARGIN_SECONDS": "0.2",
    "LIANCHENG_CLAIM_SECONDS": "0.25",
    "LIANCHENG_POLL_SECONDS": "0.3",
    "LIANCHENG_WIRE__ALLOWED_NETWORKS": '["127.0.0.0/8"]',
    "LIANCHENG_WIRE__FIRST_BYTE_SECONDS": "1",
    "LIANCHENG_WIRE__WHOLE_SECONDS": "2",
}


async def until(holds: Callable[[], Awaitable[bool]], what: str, seconds: float = DEADLINE) -> None:
    """Wait until `holds()`; the failure names `what` was waited for."""
    end = time.monotonic() + seconds
    while not await holds():
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        await asyncio.sleep(0.02)


def uid_of(record: str) -> str:
    return record.replace("/", "-").rjust(26, "0")


class Publishing:
    """One publisher process. Its log goes to a file, shown when a test fails to end it."""

    def __init__(self, name: str, database: TestDatabase, folder: Path, **settings: str) -> None:
        self.name, self.log = name, folder / f"{name}.log"
        environment = {key: value for key, value in os.environ.items() if not key.startswith("LIANCHENG_")}
        environment |= QUICK | settings
        environment["LIANCHENG_PUBLISHER_DATABASE_URL"] = database.publisher_dsn
        environment["LIANCHENG_DATA_KEY"] = DATA_KEY
        environment["LIANCHENG_PUBLISHER_ID"] = name
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "liancheng.command", "publisher"],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def end(self, number: signal.Signals = signal.SIGKILL) -> int:
        self.process.send_signal(number)
        return self.process.wait(DEADLINE)

    def logged(self, event: str) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in self.log.read_text("utf-8").splitlines() if line[:1] == "{"]
        return [line for line in lines if line.get("event") == event]


@dataclass
class Stand:
    database: TestDatabase
    pool: asyncpg.Pool
    simulator: Simulator
    folder: Path
    processes: list[Publishing] = field(default_factory=list)
    sequence: int = 0
    versions: dict[str, int] = field(default_factory=dict)

    async def destinations(self, *codes: str, **members: Any) -> None:
        entries = [
            DestinationEntry(
                code=code,
                name_zh="测试",
                name_en="test",
                url=f"http://127.0.0.1:{self.simulator.port}/{code}",
                secret=SECRET,
                **({"areas": ["SA01"], "regions": ["150000"]} | members),
            )
            for code in codes
        ]
        await load(self.database.migrator_dsn, DATA_KEY, entries)

    async def register(self, *rows: tuple[str, str], areas: tuple[str, ...] = ("SA01",)) -> None:
        """Append versions to the feed in one transaction: (record, op) pairs; a record is its own subject."""
        now = datetime.now(UTC)
        records: list[tuple[object, ...]] = []
        for number, (record, op) in enumerate(rows, self.sequence + 1):
            version = self.versions[record] = self.versions.get(record, 0) + 1
            subject = record.split("/")[0].rjust(18, "0")
            state = "REVOKED" if op == "RETRACT" else "LISTED"
            body = json.dumps({"state": state, "subject": subject, "version": version}).encode()
            hashed = zlib.crc32(subject.encode()) % 32768
            records.append(
                (number, uid_of(record), version, "RECORD", op, state, None, subject,
                 subject, hashed, ["150300", "150000"], list(areas), [], body, now)
            )  # fmt: skip
        self.sequence += len(rows)
        async with self.pool.acquire() as connection, connection.transaction():
            await connection.execute("update sequence_head set feed = $1", self.sequence)
            await connection.copy_records_to_table("feed", records=records, columns=FEED)
            await connection.execute("notify liancheng_feed")

    def publisher(self, name: str, **settings: str) -> Publishing:
        process = Publishing(name, self.database, self.folder, **settings)
        self.processes.append(process)
        return process

    async def all_settled(self) -> bool:
        """Every lease stands at the feed's end, nothing is parked or announced beyond."""
        return bool(
            await self.pool.fetchval(
                "select count(*) > 0 and bool_and(position >= $1 and position >= intent_to)"
                " and not exists (select from parked_delivery) from lease",
                self.sequence,
            )
        )

    async def settled(self, seconds: float = DEADLINE) -> None:
        try:
            await until(self.all_settled, "everything settled", seconds)
        except AssertionError as error:
            error.add_note(str(await self.pool.fetch("select * from lease")))
            error.add_note(str(await self.pool.fetch("select * from parked_delivery limit 20")))
            for process in self.processes:
                state = process.process.poll()
                error.add_note(f"{process.name}: exit {state}\n{process.log.read_text('utf-8')[-3000:]}")
            raise

    async def ledger(self, columns: str = "*", where: str = "true", *values: object) -> list[asyncpg.Record]:
        rows: list[asyncpg.Record] = await self.pool.fetch(
            f"select {columns} from ledger where {where} order by entry_id",  # noqa: S608
            *values,
        )
        return rows

    async def check_everything(self, *receivers: str) -> dict[str, int]:
        """The invariants, from the receivers' own books. Answers the repeats that each receiver saw."""
        repeats = {}
        for receiver in receivers:
            arrivals = self.simulator.arrivals(receiver)
            newest: dict[str, int] = {}
            for arrival in arrivals:
                uid, version = arrival["record_uid"], arrival["version"]
                assert version >= newest.get(uid, 0), f"{receiver}: {uid} {version} after {newest[uid]}"
                newest[uid] = version
            counts = self.simulator.get(f"/{receiver}/counts")
            assert counts["stale"] == 0
            assert counts["bad_signature"] == 0
            repeats[receiver] = counts["duplicates"]
            holds = {
                item["record_uid"]: item["version"]
                for item in self.simulator.get(f"/{receiver}/records")["items"]
            }
            owed = {uid_of(r): v for r, v in self.versions.items()}
            assert holds == owed, f"{receiver}: lost {owed.items() - holds.items()}"
            seen = {(a["record_uid"], a["version"]): 0 for a in arrivals}
            for arrival in arrivals:
                seen[arrival["record_uid"], arrival["version"]] += 1
            rows = await self.ledger(
                "record_uid, version, count(*) over (partition by record_uid, version)",
                "reader = $1 and kind = 'ATTEMPT'",
                receiver,
            )
            attempts = {(row[0], row[1]): row[2] for row in rows}
            for key, count in seen.items():
                assert attempts.get(key, 0) >= count, (
                    f"{receiver} saw {key} {count} times, ledger {attempts.get(key)}"
                )
        doubled = await self.pool.fetch(
            "select reader, seq from ledger where outcome in ('ACCEPTED', 'SUPERSEDED')"
            " group by 1, 2 having count(*) > 1"
        )
        assert not doubled, "a version settled twice"
        return repeats

    def close(self) -> None:
        for process in self.processes:
            if process.process.poll() is None:
                process.send(signal.SIGCONT)
                process.end()


@contextmanager
def simulator_for(folder: Path, *codes: str) -> Iterator[Simulator]:
    listed = folder / "receivers.json"
    listed.write_text(json.dumps([{"code": code, "secret": SECRET} for code in codes]))
    with running(
        folder / "simulator.sqlite3", receivers_file=listed, secret=None, page_limit=10_000
    ) as simulator:
        yield simulator
