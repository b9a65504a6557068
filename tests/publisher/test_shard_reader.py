"""The reader's state machine against a model of the database, with crashes at any point.

The model commits what the settler would, and a new owner resumes from it as `recovery` does. Whatever the
order of rows, answers, commits, retries and crashes: order, ledger and completeness hold.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from services.publisher.feed_row import Audience, FeedRow
from services.publisher.ledger_entry import COLUMNS, TERMINAL
from services.publisher.shard_reader import Pending, Settled, ShardReader

if TYPE_CHECKING:
    from services.publisher.lanes import Delivery

NOBODY = Audience(frozenset(), frozenset(), frozenset())
KIND, SEQ, OUTCOME, ATTEMPT = (COLUMNS.index(name) for name in ("kind", "seq", "outcome", "attempt"))


@dataclass
class Parked:
    attempt: int
    failures: int
    due_at: float
    in_flight: bool = False


@dataclass
class Database:
    feed: list[FeedRow] = field(default_factory=list)
    ledger: list[tuple[object, ...]] = field(default_factory=list)
    parked: dict[int, Parked] = field(default_factory=dict)
    position: int = 0
    intent_to: int = 0

    def commit(self, reader: ShardReader, taken: Pending) -> None:
        self.position, self.intent_to = reader.position, reader.loaded_to
        self.ledger += taken.entries
        for seq in taken.removed:
            self.parked.pop(seq, None)
        for seq, delivery in taken.stored.items():
            lane = delivery.lane
            self.parked[seq] = Parked(delivery.attempt, lane.failures, lane.due_at)
        for seq in taken.retries:
            if seq in self.parked:
                self.parked[seq].in_flight = True

    def terminal(self) -> set[object]:
        return {entry[SEQ] for entry in self.ledger if entry[OUTCOME] in TERMINAL}


class World(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.clock = 1000.0
        self.database = Database()
        self.versions: Counter[str] = Counter()
        self.arrived: list[FeedRow] = []
        self.ready: list[Delivery] = []  # dispatched, waiting for a connection
        self.flying: list[Delivery] = []  # written
        self.requests: Counter[int] = Counter()
        self.committing: tuple[int, int, Pending] | None = None
        self.token = 0
        self._new_owner()

    # What surrounds the reader ------------------------------------------------------------------------

    def dispatch(self, delivery: Delivery) -> None:
        assert delivery.intended
        under_way = (*self.ready, *self.flying)
        assert all(other.lane is not delivery.lane for other in under_way), "two in flight in one lane"
        self.ready.append(delivery)

    def changed(self, reader: ShardReader) -> None:
        pass

    def due_changed(self, reader: ShardReader) -> None:
        pass

    def _new_owner(self) -> None:
        self.token += 1
        self.ready, self.flying, self.committing = [], [], None
        database = self.database
        self.reader = ShardReader("D", 0, self.token, "p", self, lambda: self.clock, lambda: self.clock)
        self.reader.loaded_to = max(database.intent_to, database.position)
        for seq in sorted(database.parked):
            parked = database.parked[seq]
            self.reader.resume_parked(
                database.feed[seq - 1],
                attempt=parked.attempt,
                failures=parked.failures,
                due_at=min(parked.due_at, self.clock + 60),
                in_flight=parked.in_flight,
            )
        unknown = Counter(e[SEQ] for e in database.ledger if e[OUTCOME] == "UNKNOWN")
        settled = database.terminal() | set(database.parked)
        for row in database.feed[database.position : database.intent_to]:
            if row.seq not in settled:
                self.reader.resume_unknown(row, unknown[row.seq])

    # Rules ----------------------------------------------------------------------------------------------

    @rule(
        lane=st.sampled_from("abc"), record=st.sampled_from("12"), op=st.sampled_from(["UPSERT", "RETRACT"])
    )
    def register(self, lane: str, record: str, op: str) -> None:
        uid = lane + record
        self.versions[uid] += 1
        seq = len(self.database.feed) + 1
        self.database.feed.append(
            FeedRow(seq, uid, self.versions[uid], op, None, lane, 0, NOBODY, None, b"{}")
        )

    @precondition(lambda self: self.reader.loaded_to < len(self.database.feed))
    @rule()
    def admit(self) -> None:
        self.reader.admit(self.database.feed[self.reader.loaded_to])

    @precondition(lambda self: self.committing is None)
    @rule()
    def begin_commit(self) -> None:
        reader = self.reader
        self.committing = (reader.position, reader.loaded_to, reader.take_pending())

    @precondition(lambda self: self.committing is not None)
    @rule(lost=st.booleans())
    def end_commit(self, lost: bool) -> None:
        assert self.committing is not None
        position, intent_to, taken = self.committing
        snapshot = _Frozen(position, intent_to)
        self.database.commit(snapshot, taken)  # type: ignore[arg-type]
        self.committing = None
        if lost:  # committed, and the process died before it knew
            self._new_owner()
        else:
            self.reader.durable(taken)

    @precondition(lambda self: self.ready)
    @rule(index=st.integers(0, 20))
    def write(self, index: int) -> None:
        delivery = self.ready.pop(index % len(self.ready))
        self.flying.append(delivery)
        self.requests[delivery.row.seq] += 1
        self.arrived.append(delivery.row)

    @precondition(lambda self: self.flying)
    @rule(index=st.integers(0, 20), outcome=st.sampled_from(["ACCEPTED", "RETRYABLE", "UNKNOWN"]))
    def answer(self, index: int, outcome: str) -> None:
        delivery = self.flying.pop(index % len(self.flying))
        done = outcome == "ACCEPTED"
        self.reader.answered(
            delivery, Settled(outcome, done, 0.0 if done else 5.0, 200 if done else 503, None, 0.0, None)
        )

    @rule(seconds=st.sampled_from([1.0, 6.0]))
    def pass_time(self, seconds: float) -> None:
        self.clock += seconds
        self.reader.retry()

    @rule()
    def crash(self) -> None:
        self._new_owner()

    @precondition(lambda self: self.committing is None)
    @rule()
    def hand_over(self) -> None:
        for delivery in self.ready:
            self.reader.take_back(delivery)
        self.reader.lay_down()
        self.database.commit(self.reader, self.reader.take_pending())
        assert self.database.position == self.database.intent_to
        self._new_owner()

    # Invariants --------------------------------------------------------------------------------------------

    @invariant()
    def newer_never_before_older(self) -> None:
        seen: dict[str, int] = {}
        for row in self.arrived:
            assert row.version >= seen.get(row.record_uid, 0), f"{row.record_uid}: older after newer"
            seen[row.record_uid] = row.version

    @invariant()
    def budget_is_what_is_charged(self) -> None:
        charged = {id(d) for d in self.reader.window.values() if d.charged}
        for lane in self.reader.lanes.values():
            charged |= {id(d) for d in lane.waiting.values() if d.charged}
            if lane.in_flight is not None and lane.in_flight.charged:
                charged.add(id(lane.in_flight))
        taken = self.committing[2].released if self.committing else 0
        assert self.reader.held == len(charged) + self.reader.pending.released + taken

    def teardown(self) -> None:
        """Whatever happened: left alone with a receiver that answers, all comes to rest, complete."""
        self._new_owner()
        random_order = random.Random(7)
        for _ in range(20 * len(self.database.feed) + 20):
            while self.reader.loaded_to < len(self.database.feed):
                self.admit()
            self.database.commit(self.reader, taken := self.reader.take_pending())
            self.reader.durable(taken)
            while self.ready:
                self.write(random_order.randrange(len(self.ready)))
                delivery = self.flying.pop()
                self.reader.answered(delivery, Settled("ACCEPTED", True, 0.0, 200, None, 0.0, None))
            self.clock += 61
            while self.reader.retry():
                pass
        self.newer_never_before_older()
        assert not self.reader.lanes
        assert self.reader.held == 0
        assert not self.database.parked
        terminal = Counter(e[SEQ] for e in self.database.ledger if e[OUTCOME] in TERMINAL)
        assert terminal == Counter({row.seq: 1 for row in self.database.feed}), "settled exactly once"
        attempts = Counter(e[SEQ] for e in self.database.ledger if e[KIND] == "ATTEMPT")
        for seq, count in self.requests.items():
            assert attempts[seq] >= count, "a request that the ledger does not account for"
        numbers = [(e[SEQ], e[ATTEMPT]) for e in self.database.ledger if e[KIND] == "ATTEMPT"]
        assert len(numbers) == len(set(numbers)), "an attempt number twice"
        accepted = {e[SEQ] for e in self.database.ledger if e[OUTCOME] == "ACCEPTED"}
        newest = {row.record_uid: row.seq for row in self.database.feed}
        assert set(newest.values()) <= accepted, "the newest version of every record arrives"


@dataclass
class _Frozen:
    position: int
    loaded_to: int


World.TestCase.settings = settings(max_examples=300, stateful_step_count=60, deadline=None)
TestShardReader = World.TestCase
