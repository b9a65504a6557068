"""One (destination, shard) under lease: what is in flight, what waits, and how far it is settled.

A state machine without I/O: rows come in by `admit`, answers by `answered`; what has to become durable
gathers in `pending` until the settler takes it; what became durable comes back by `durable`. Deliveries
that may leave go out through `dispatch`.
"""

from __future__ import annotations

import heapq
import itertools
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Protocol

from services.publisher.lanes import Delivery, Lane, LaneState
from services.publisher.ledger_entry import OWNER_LOST, STOPPED_WAITING, Entry, EntryWriter

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.publisher.feed_row import FeedRow


class Settled(NamedTuple):
    """How one attempt ended. `done`: the version is settled; else its lane is parked for `delay` seconds."""

    outcome: str
    done: bool
    delay: float
    status: int | None
    error: str | None
    sent_at: float | None
    response_sha256: bytes | None


@dataclass(slots=True)
class Pending:
    """What one reader wants durable next. `entries` are in the order in which things happened."""

    entries: list[Entry] = field(default_factory=list)
    stored: dict[int, Delivery] = field(default_factory=dict)  # to be parked, by feed sequence
    removed: set[int] = field(default_factory=set)  # parked no more
    staged: list[tuple[Delivery, int]] = field(default_factory=list)  # may leave once this is durable
    retries: list[int] = field(default_factory=list)  # parked ones among them
    released: int = 0  # units of the destination's budget that come free

    @property
    def writes(self) -> bool:
        """Whether more is to be written than the lease itself."""
        return bool(self.entries or self.stored or self.removed or self.retries)


class Surroundings(Protocol):
    """What a reader needs of the process around it."""

    def dispatch(self, delivery: Delivery) -> None:
        """Send a delivery as soon as a connection is free."""

    def changed(self, reader: ShardReader) -> None:
        """`reader.pending` has something for the settler."""

    def due_changed(self, reader: ShardReader) -> None:
        """`reader.next_due()` may be earlier than it was."""


class ShardReader:
    """See the module. `now` is the real clock in Unix seconds, `monotonic` the one of due times."""

    def __init__(
        self,
        destination: str,
        shard: int,
        token: int,
        publisher: str,
        around: Surroundings,
        now: Callable[[], float],
        monotonic: Callable[[], float],
    ) -> None:
        self.destination, self.shard, self.token = destination, shard, token
        self.loaded_to = 0  # all feed rows up to here were looked at
        self.durable_position = 0
        self.deadline = 0.0  # of the lease, on the monotonic clock
        self.lost = False  # the lease is another's
        self.laid_down = False  # all is handed to the database: answers count no more
        self.window: dict[int, Delivery] = {}  # admitted in feed order, unsettled and not parked
        self.lanes: dict[str, Lane] = {}
        self.pending = Pending()
        self.held = 0  # units of the destination's budget in this reader's hands
        self._entry = EntryWriter(destination, shard, token, publisher)
        self._due: list[tuple[float, int, Lane]] = []
        self._ties = itertools.count()  # the heap never has to compare lanes
        self._around, self._now, self._monotonic = around, now, monotonic

    def may_write(self) -> bool:
        """Asked before every write to a socket: is the lease surely still ours?"""
        return not self.lost and not self.laid_down and self._monotonic() < self.deadline

    @property
    def position(self) -> int:
        """All rows up to here are settled or parked, once `pending` is durable."""
        return next(iter(self.window)) - 1 if self.window else self.loaded_to

    @property
    def parked_lanes(self) -> int:
        return sum(lane.state is LaneState.PARKED for lane in self.lanes.values())

    @property
    def in_flight(self) -> int:
        return sum(lane.in_flight is not None for lane in self.lanes.values())

    # Rows in ------------------------------------------------------------

    def holds(self, row: FeedRow) -> bool:
        """Whether a version of the row's record is under way, so that the destination may come to hold it."""
        lane = self.lanes.get(row.lane)
        if lane is None:
            return False
        flying = lane.in_flight
        return row.record_uid in lane.waiting or (
            flying is not None and flying.row.record_uid == row.record_uid
        )

    def needs_unit(self, row: FeedRow) -> bool:
        """Whether the row would go out now, which costs a unit of budget, and not just join a parked lane."""
        lane = self.lanes.get(row.lane)
        return lane is None or not _keeps(lane)

    def admit(self, row: FeedRow) -> bool:
        """Take the next owed row of the feed; whether it uses the unit of budget taken for it."""
        self.loaded_to = row.seq
        delivery = Delivery(row, self._lane(row.lane), self)
        charged = self._take(delivery)
        self._around.changed(self)
        return charged

    def pass_to(self, seq: int) -> None:
        """No row up to `seq` that was not admitted is owed."""
        self.loaded_to = seq

    # Taking over from an earlier owner ------------------------------------------------------------

    def resume_parked(
        self, row: FeedRow, *, attempt: int, failures: int, due_at: float, in_flight: bool
    ) -> None:
        """Take back a parked delivery; one that was `in_flight` has an attempt of unknown outcome."""
        lane = self._lane(row.lane)
        delivery = Delivery(row, lane, self, attempt=attempt, stored=True)
        lane.failures = max(lane.failures, failures)
        if in_flight:
            self._unknown(delivery, OWNER_LOST)
            self._store(delivery)
        self._superseded(lane.join(delivery))
        self._park(lane, max(lane.due_at, due_at))

    def resume_unknown(self, row: FeedRow, attempts: int) -> None:
        """Take back a delivery that was announced and is not settled: it may have left. Costs a unit."""
        delivery = Delivery(row, self._lane(row.lane), self, attempt=attempts)
        self._unknown(delivery, OWNER_LOST)
        self._take(delivery)

    # Answers in ------------------------------------------------------------

    def answered(self, delivery: Delivery, settled: Settled) -> None:
        """The attempt in flight came to an end."""
        if self.lost or self.laid_down:
            return
        lane, now = delivery.lane, self._now()
        delivery.attempt += 1
        self.pending.entries.append(
            self._entry.attempt(
                delivery.row,
                delivery.attempt,
                settled.outcome,
                settled_at=now,
                sent_at=settled.sent_at,
                status=settled.status,
                error=settled.error,
                retry_at=None if settled.done else now + settled.delay,
                request_sha256=delivery.request_sha256,
                response_sha256=settled.response_sha256,
            )
        )
        self._forget(delivery)
        if settled.done:
            if delivery.stored:
                self._unstore(delivery)
            lane.succeed()
            self._advance(lane)
        else:
            self._superseded(lane.fail(delivery, settled.error or settled.outcome))
            self._park(lane, self._monotonic() + settled.delay)
            self._store_waiting(lane)
        self._around.changed(self)

    # What became durable ------------------------------------------------------------

    def take_pending(self) -> Pending:
        taken, self.pending = self.pending, Pending()
        return taken

    def durable(self, taken: Pending) -> None:
        """`taken` is committed: the deliveries that it announced may leave."""
        self.held -= taken.released
        if self.laid_down:
            return
        for delivery, ticket in taken.staged:
            if delivery.ticket == ticket:
                delivery.intended = True
            self._advance(delivery.lane)

    def next_due(self) -> float | None:
        """The monotonic time at which the next lane that waits may be tried."""
        while self._due and self._due[0][2].due_at != self._due[0][0]:
            heapq.heappop(self._due)
        return self._due[0][0] if self._due else None

    def retry(self) -> bool:
        """Announce the retry of one lane that is due; whether it uses the unit of budget taken for it."""
        due = self.next_due()
        if due is None or due > self._monotonic():
            return False
        lane = heapq.heappop(self._due)[2]
        lane.due_at = math.inf
        delivery = lane.next()
        if delivery is None:
            return False
        self._stage(delivery)
        self.pending.retries.append(delivery.row.seq)
        self._around.changed(self)
        return True

    # Stopping ------------------------------------------------------------

    def take_back(self, delivery: Delivery) -> None:
        """A dispatched delivery that was not written: it waits again, with no attempt made."""
        if not self.lost and not self.laid_down:
            delivery.lane.in_flight = None
            self._superseded(delivery.lane.join(delivery))

    def lay_down(self) -> None:
        """Leave nothing in memory: in flight becomes unknown on the ledger, waiting is parked and due now."""
        self.laid_down = True
        for lane in self.lanes.values():
            flying, lane.in_flight = lane.in_flight, None
            if flying is not None:
                self._unknown(flying, STOPPED_WAITING)
                self._forget(flying)
                self._store(flying)
                self._superseded(lane.join(flying))
            if lane.state is LaneState.OPEN or lane.due_at == math.inf:
                lane.due_at = self._monotonic()
            self._store_waiting(lane)
        self.pending.staged.clear()
        self.pending.retries.clear()
        self._around.changed(self)

    # Inside ------------------------------------------------------------

    def _lane(self, name: str) -> Lane:
        lane = self.lanes.get(name)
        if lane is None:
            lane = self.lanes[name] = Lane(name)
        return lane

    def _take(self, delivery: Delivery) -> bool:
        """Let a new delivery leave, or wait with the others of its lane; whether it was charged a unit."""
        lane = delivery.lane
        keeps = _keeps(lane)
        superseded = lane.join(delivery)
        self._superseded(superseded)
        if superseded is delivery:
            return False
        if keeps:
            self._store(delivery)
            return False
        self.window[delivery.row.seq] = delivery
        self._stage(delivery)
        return True

    def _stage(self, delivery: Delivery) -> None:
        delivery.charged = True
        delivery.ticket += 1
        self.held += 1
        self.pending.staged.append((delivery, delivery.ticket))

    def _forget(self, delivery: Delivery) -> None:
        """Free what a delivery occupies: its place in the window, its announcement, its unit of budget."""
        self.window.pop(delivery.row.seq, None)
        delivery.intended = False
        delivery.ticket += 1
        if delivery.charged:
            delivery.charged = False
            self.pending.released += 1

    def _superseded(self, old: Delivery | None) -> None:
        if old is None:
            return
        self.pending.entries.append(self._entry.superseded(old.row, old.attempt, self._now()))
        if old.stored:
            self._unstore(old)
        self._forget(old)

    def _unknown(self, delivery: Delivery, error: str) -> None:
        delivery.attempt += 1
        self.pending.entries.append(
            self._entry.attempt(
                delivery.row, delivery.attempt, "UNKNOWN", settled_at=self._now(), error=error
            )
        )

    def _store(self, delivery: Delivery) -> None:
        delivery.stored = True
        self.pending.stored[delivery.row.seq] = delivery
        self.pending.removed.discard(delivery.row.seq)

    def _unstore(self, delivery: Delivery) -> None:
        delivery.stored = False
        self.pending.stored.pop(delivery.row.seq, None)
        self.pending.removed.add(delivery.row.seq)

    def _store_waiting(self, lane: Lane) -> None:
        for waiting in lane.waiting.values():
            self._forget(waiting)
            self._store(waiting)

    def _park(self, lane: Lane, due_at: float) -> None:
        lane.state = LaneState.PARKED
        self._due_at(lane, due_at)

    def _due_at(self, lane: Lane, due_at: float) -> None:
        lane.due_at = due_at
        heapq.heappush(self._due, (due_at, next(self._ties), lane))
        self._around.due_changed(self)

    def _advance(self, lane: Lane) -> None:
        """Let the lane's next delivery leave if its attempt is announced; drop an empty lane."""
        if lane.in_flight is not None:
            return
        delivery = lane.next()
        if delivery is None:
            if self.lanes.get(lane.name) is lane:
                del self.lanes[lane.name]
        elif delivery.intended:
            lane.start(delivery)
            self._around.dispatch(delivery)
        elif delivery.stored and (lane.state is LaneState.OPEN or lane.due_at == math.inf):
            # Nothing announces it: the lane just opened, or the delivery that was announced is overtaken.
            self._due_at(lane, self._monotonic())


def _keeps(lane: Lane) -> bool:
    """Whether what joins the lane now waits in the database with the rest of it."""
    return lane.state is LaneState.PARKED or any(waiting.stored for waiting in lane.waiting.values())
