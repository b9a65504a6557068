"""Replay of dead letters: the stored message judged again in place (`RULINGS` V1).

The inbox row stays the same one, so the message still counts once; a second verdict says what has become of
it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.broker.arrival import read_arrival
from services.broker.docket import hear
from services.broker.docket_rows import findings_json
from services.broker.docket_store import resettle, write_versions
from services.broker.matter import Bench
from services.broker.register import lock_subjects
from services.broker.situation_store import load_situation

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    import asyncpg

    from services.broker.arrival import Arrival
    from services.broker.deadletters import LetterSeal
    from services.broker.docket import Docket
    from services.broker.policy import Policy
    from services.broker.register import Clocks
    from services.broker.situation import InboxEntry

LOCK_LETTERS = """
select d.inbox_id, d.topic, d.kafka_partition, d.kafka_offset, d.sealed, d.codes
from dead_letter d join inbox i using (inbox_id)
where d.inbox_id = any($1::bigint[]) and i.verdict = 'REFUSED' order by d.inbox_id for update of d
"""
REJUDGE = """
update inbox set event_source = $2, event_id = $3, event_type = $4, subject = $5, event_time = $6,
    case_id = $7, trace_id = $8, content_sha256 = $9, act_key = $10, holds_key = $11, data = $12, verdict =
    $13, codes = $14, findings = $15, record_uid = $16, version = $17, reevaluate_on = $18, waits_for = $19,
    duplicate_of = $20, alert = $21 where inbox_id = $1
"""
MARK = "update dead_letter set replayed_at = $2, codes = $3 where inbox_id = $1"


@dataclass(frozen=True, slots=True)
class Replayed:
    """What became of one letter."""

    inbox_id: int
    former_codes: tuple[str, ...]
    entry: InboxEntry


class Replay:
    """One per command; `connection` as `HotConnection` sets it up."""

    def __init__(
        self, policy: Policy, seal: LetterSeal, clocks: Clocks, mint: Callable[[], str], max_event_bytes: int
    ) -> None:
        self._policy = policy
        self._seal = seal
        self._clocks = clocks
        self._mint = mint
        self._max_event_bytes = max_event_bytes

    async def replay(self, connection: asyncpg.Connection, inbox_ids: Sequence[int]) -> list[Replayed]:
        """Judge these letters again, in the order in which they came; those not refused any more are passed
        over.

        SealingError if a letter cannot be opened: then nothing was done.
        """
        now = self._clocks.now()
        async with connection.transaction():
            letters = await connection.fetch(LOCK_LETTERS, list(inbox_ids))
            arrivals = [self._arrival(letter) for letter in letters]
            await lock_subjects(connection, arrivals)
            situation = await load_situation(connection, arrivals)
            docket = hear(arrivals, situation, Bench(self._policy, self._clocks.today(), self._mint))
            await _write(connection, docket, now)
        return [
            Replayed(letter["inbox_id"], tuple(letter["codes"]), entry)
            for letter, (_, entry) in zip(letters, docket.heard, strict=True)
        ]

    def _arrival(self, letter: asyncpg.Record) -> Arrival:
        message = self._seal.open(
            letter["topic"], letter["kafka_partition"], letter["kafka_offset"], letter["sealed"]
        )
        arrival = read_arrival(message, self._max_event_bytes)
        arrival.inbox_id = letter["inbox_id"]
        return arrival


async def _write(connection: asyncpg.Connection, docket: Docket, now: datetime) -> None:
    await resettle(connection, docket.changed)
    await connection.executemany(REJUDGE, [_row(entry) for _, entry in docket.heard])
    await connection.executemany(
        MARK, [(entry.inbox_id, now, [f.code for f in entry.codes]) for _, entry in docket.heard]
    )
    if docket.heard:
        await write_versions(connection, docket, now)


def _row(entry: InboxEntry) -> tuple[object, ...]:
    original = entry.duplicate_of
    return (
        entry.inbox_id, entry.source, entry.event_id, entry.type, entry.subject, entry.time, entry.case_id,
        entry.trace_id, entry.digest, entry.act_key, entry.holds_key, entry.stored_data, entry.verdict,
        [finding.code for finding in entry.codes], findings_json(entry), entry.record_uid, entry.version,
        entry.reevaluate_on, entry.waits_for, None if original is None else original.inbox_id, entry.alert,
    )  # fmt: skip
