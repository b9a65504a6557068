"""The receivers' own database, read back."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import orjson

from services.simulator.judgement import Push, Verdict, summary

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

RECORDS: Final = """
select record_uid, version, arrival_no, body from holding
where receiver = ?1 and record_uid > ?2 order by record_uid limit ?3
"""
ARRIVALS: Final = """
select arrival_no, webhook_id, record_uid, version, sequence, op, cause,
       at, body_sha256, verdict, fault, answered, connection
from arrival where receiver = ?1 and arrival_no > ?2 order by arrival_no limit ?3
"""
TALLY: Final = """
select receiver, verdict, fault, count(*) from arrival
where receiver in (select value from json_each(?1)) group by receiver, verdict, fault
"""
STANDING: Final = """
select receiver, op = 'RETRACT', count(*) from holding
where receiver in (select value from json_each(?1)) group by 1, 2
"""

_COUNTED_AS: Final = {
    Verdict.NEW: "accepted",
    Verdict.DUPLICATE: "duplicates",
    Verdict.STALE: "stale",
    Verdict.BAD_SIGNATURE: "bad_signature",
    Verdict.MALFORMED: "malformed",
    Verdict.FAULT: "faulted",
}


@dataclass(slots=True)
class Counts:
    """`requests` = accepted + duplicates + stale + bad_signature + malformed + faulted.

    `faulted` are those that a fault kept from taking effect; `faults` counts by kind every fault that
    struck, those with effect too. `standing` and `withdrawn` (by RETRACT) are the records held now.
    """

    requests: int = 0
    accepted: int = 0
    duplicates: int = 0
    stale: int = 0
    bad_signature: int = 0
    malformed: int = 0
    faulted: int = 0
    standing: int = 0
    withdrawn: int = 0
    faults: dict[str, int] = field(default_factory=dict)


class Reader:
    """For one thread at a time; opened after the writer has made the file."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.execute("pragma query_only = on")

    def records(self, receiver: str, after: str, limit: int) -> list[dict[str, Any]]:
        """What is held, by record_uid: record_uid, version, `summary` and arrival_no of each."""
        return [
            {
                "record_uid": uid,
                "version": version,
                **summary(Push.model_validate_json(body)),
                "arrival_no": no,
            }
            for uid, version, no, body in self._db.execute(RECORDS, (receiver, after, limit))
        ]

    def arrivals(self, receiver: str, after: int, limit: int) -> list[dict[str, Any]]:
        """What arrived, in order: the columns of `arrival` without the receiver."""
        cursor = self._db.execute(ARRIVALS, (receiver, after, limit))
        columns = [column[0] for column in cursor.description]
        return [dict(zip(columns, row, strict=True)) for row in cursor]

    def counts(self, receivers: Sequence[str]) -> dict[str, Counts]:
        """The counts of each of `receivers`, all at one moment."""
        counts = {code: Counts() for code in receivers}
        only = orjson.dumps(receivers).decode()
        self._db.execute("begin")
        try:
            for code, verdict, fault, number in self._db.execute(TALLY, (only,)):
                of, name = counts[code], _COUNTED_AS[Verdict(verdict)]
                of.requests += number
                setattr(of, name, getattr(of, name) + number)
                if fault is not None:
                    of.faults[fault] = of.faults.get(fault, 0) + number
            for code, withdrawn, number in self._db.execute(STANDING, (only,)):
                setattr(counts[code], "withdrawn" if withdrawn else "standing", number)
        finally:
            self._db.execute("commit")
        return counts

    def close(self) -> None:
        self._db.close()
