"""The receivers' own database, written: what arrived, in which order, and what is held."""

from __future__ import annotations

import hashlib
import sqlite3
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import orjson

from services.simulator.judgement import Verdict, answered_status, compare

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from services.simulator.faults import FaultRule
    from services.simulator.judgement import Push

SCHEMA: Final = """
create table if not exists arrival (      -- every request whose head and body arrived in full
    arrival_no  integer primary key,      -- order of arrival over all receivers
    receiver    text not null,
    webhook_id  text,
    record_uid  text,                     -- this and the next four: what the body claims, null if unreadable
    version     integer,
    sequence    integer,
    op          text,
    cause       text,
    at          real not null,            -- unix time, seconds
    body_sha256 text not null,            -- hexadecimal
    verdict     text not null,
    fault       text,                     -- kind of the fault that struck
    answered    integer,                  -- status; null: no answer
    connection  integer not null
) strict;
create index if not exists arrival_of_receiver on arrival (receiver, arrival_no);
create table if not exists holding (      -- the newest version of each record
    receiver    text not null,
    record_uid  text not null,
    version     integer not null,
    op          text not null,
    arrival_no  integer not null,         -- which brought it
    body        text not null,
    primary key (receiver, record_uid)
) strict;
"""

# One statement per batch instead of one per row: SQLite then works without the interpreter lock.
HELD: Final = """
select h.receiver, h.record_uid, h.version
from json_each(?1) j
join holding h on h.receiver = j.value ->> 0 and h.record_uid = j.value ->> 1
"""
ARRIVE: Final = """
insert into arrival (arrival_no, receiver, webhook_id, record_uid, version, sequence, op, cause,
                     at, body_sha256, verdict, fault, answered, connection)
select value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7,
       value ->> 8, value ->> 9, value ->> 10, value ->> 11, value ->> 12, value ->> 13
from json_each(?1)
"""
HOLD: Final = """
insert into holding (receiver, record_uid, version, op, arrival_no, body)
select value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5
from json_each(?1)
where true
on conflict (receiver, record_uid) do update
set version = excluded.version, op = excluded.op, arrival_no = excluded.arrival_no, body = excluded.body
"""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A request that arrived in full. `verdict` is None where it depends on what is held."""

    receiver: str
    webhook_id: str | None
    at: float
    connection: int
    body: bytes
    push: Push | None
    verdict: Verdict | None
    fault: FaultRule | None


class Writer:
    """Makes the file and its tables, and writes batches, each a transaction. For one thread at a time."""

    def __init__(self, path: Path, synchronous: str) -> None:
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.execute("pragma journal_mode = wal")
        self._db.execute(f"pragma synchronous = {synchronous}")
        self._db.executescript(SCHEMA)
        self._last, self.last_connection = self._db.execute(
            "select coalesce(max(arrival_no), 0), coalesce(max(connection), 0) from arrival"
        ).fetchone()

    def record(self, batch: Sequence[Arrival]) -> list[Verdict]:
        """Write the arrivals in their order, with what is held after them; return their verdicts.

        Durable on return; on sqlite3.Error nothing of the batch is.
        """
        self._db.execute("begin immediate")
        try:
            verdicts = self._write(batch)
            self._db.execute("commit")
        except BaseException:
            if self._db.in_transaction:  # SQLite rolls back by itself when, say, the disk is full
                self._db.execute("rollback")
            raise
        self._last += len(batch)
        return verdicts

    def _write(self, batch: Sequence[Arrival]) -> list[Verdict]:
        keys = {(a.receiver, a.push.record_uid) for a in batch if a.push is not None}
        held = {(r, uid): version for r, uid, version in self._db.execute(HELD, (_json(list(keys)),))}
        rows: list[tuple[Any, ...]] = []
        holdings: dict[tuple[str, str], tuple[Any, ...]] = {}
        verdicts: list[Verdict] = []
        for number, arrival in enumerate(batch, self._last + 1):
            push, verdict = arrival.push, arrival.verdict
            if verdict is None:
                assert push is not None  # noqa: S101 (only a readable push is left for judgement)
                key = (arrival.receiver, push.record_uid)
                verdict = compare(held.get(key), push.version)
                if verdict is Verdict.NEW:
                    held[key] = push.version
                    holdings[key] = (*key, push.version, push.op, number, arrival.body.decode())
            verdicts.append(verdict)
            rows.append(_row(number, arrival, verdict))
        self._db.execute(ARRIVE, (_json(rows),))
        self._db.execute(HOLD, (_json(list(holdings.values())),))
        return verdicts

    def close(self) -> None:
        self._db.close()


def _row(number: int, arrival: Arrival, verdict: Verdict) -> tuple[Any, ...]:
    push, fault = arrival.push, arrival.fault
    return (
        number,
        arrival.receiver,
        arrival.webhook_id,
        push and push.record_uid,
        push and push.version,
        push and push.sequence,
        push and push.op,
        push and push.cause,
        arrival.at,
        hashlib.sha256(arrival.body).hexdigest(),
        verdict,
        fault and fault.kind,
        answered_status(verdict, fault),
        arrival.connection,
    )


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()
