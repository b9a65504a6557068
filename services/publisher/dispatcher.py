"""The dispatcher of one destination: whatever may leave goes to the next free connection.

No task, future or client object per request: `send` writes bytes, the answer calls back.
"""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING

from services.publisher.budget import Budget
from services.publisher.shard_reader import Settled, ShardReader
from services.publisher.sight import cut_to_areas
from services.publisher.wire.answer import Fault
from services.publisher.wire.classify import GONE, Outcome, classify
from services.publisher.wire.envelope import RequestTemplate, version_body

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.publisher.destinations import Destination
    from services.publisher.lanes import Delivery
    from services.publisher.metrics import PublisherMetrics
    from services.publisher.retry import RetrySchedule
    from services.publisher.wire.answer import Answer
    from services.publisher.wire.sender import DestinationSender


class Concurrency:
    """Requests in flight in the whole process; dispatchers that found no room are called in turn."""

    def __init__(self, limit: int) -> None:
        self._free = limit
        self._waiting: dict[Dispatcher, None] = {}

    def take(self, dispatcher: Dispatcher) -> bool:
        if self._free <= 0:
            self._waiting[dispatcher] = None
            return False
        self._free -= 1
        return True

    def give(self) -> None:
        self._free += 1
        if self._waiting:
            dispatcher = next(iter(self._waiting))
            del self._waiting[dispatcher]
            dispatcher.pump()


class Dispatcher:
    """`gone` is called once when the receiver answers 410. Readers are added and dropped by the service."""

    def __init__(
        self,
        destination: Destination,
        make_sender: Callable[[Callable[[object, Answer], None]], DestinationSender],
        *,
        max_unsettled: int,
        concurrency: Concurrency,
        schedule: RetrySchedule,
        uniform: Callable[[], float],
        metrics: PublisherMetrics,
        gone: Callable[[Dispatcher], None],
    ) -> None:
        self.destination = destination
        self.budget = Budget(max_unsettled)
        self.sender = make_sender(self._answered)
        self._sight = destination.subscription.sight
        self._template = RequestTemplate(destination.target, destination.code, destination.keys)
        self._concurrency, self._schedule, self._uniform = concurrency, schedule, uniform
        self._metrics = metrics.of_destination(destination.code)
        self._gone: Callable[[Dispatcher], None] | None = gone  # None once called
        self._ready: deque[Delivery] = deque()
        self._held_back: list[Delivery] = []  # dispatched while their lease gave no leave to write

    def dispatch(self, delivery: Delivery) -> None:
        self._ready.append(delivery)
        self.pump()

    def pump(self) -> None:
        """Send while something is ready, a connection is free, the process has room, and nobody said 410."""
        ready, sender = self._ready, self.sender
        while ready and sender.free() > 0 and self._gone is not None:
            delivery = ready.popleft()
            reader = delivery.reader
            if not reader.may_write():
                if not reader.lost:
                    self._held_back.append(delivery)
                continue
            if not self._concurrency.take(self):
                ready.appendleft(delivery)
                return
            self._send(delivery)

    def renewed(self) -> None:
        """Leases were renewed: what was held back for them may go."""
        if self._held_back:
            self._ready.extendleft(reversed(self._held_back))
            self._held_back.clear()
            self.pump()

    def take_back(self, reader: ShardReader) -> None:
        """Return to `reader` what was dispatched for it and not yet written."""
        unsent = [d for d in (*self._ready, *self._held_back) if d.reader is reader]
        self._ready = deque(d for d in self._ready if d.reader is not reader)
        self._held_back = [d for d in self._held_back if d.reader is not reader]
        for delivery in unsent:
            reader.take_back(delivery)

    def _send(self, delivery: Delivery) -> None:
        row = delivery.row
        body = row.rendered.get(self._sight)
        if body is None:
            body = row.rendered[self._sight] = version_body(
                record_uid=row.record_uid,
                version=row.version,
                sequence=row.seq,
                op=row.op,
                cause=row.cause,
                record=row.body if self._sight is None else cut_to_areas(row.body, self._sight),
            )
        rendered = self._template.render(body, int(time.time()), row.traceparent)
        delivery.request_sha256 = rendered.body_sha256
        self.sender.send(delivery, rendered.request, delivery.reader.may_write)

    def _answered(self, token: object, answer: Answer) -> None:
        delivery: Delivery = token  # type: ignore[assignment]  # the sender hands back what it was given
        if answer.error is Fault.FENCED:
            if not delivery.reader.lost:
                self._held_back.append(delivery)
        elif answer.error is Fault.SENDER_CLOSED and not answer.written:
            delivery.reader.take_back(delivery)
        else:
            self._settle(delivery, answer)
        self.pump()
        self._concurrency.give()

    def _settle(self, delivery: Delivery, answer: Answer) -> None:
        outcome, code = classify(answer)
        done = outcome is Outcome.ACCEPTED
        delay = 0.0
        if not done:
            failures = delivery.lane.failures + 1
            delay = self._schedule.delay(failures, answer.retry_after, self._uniform)
            if code == GONE and self._gone is not None:
                gone, self._gone = self._gone, None
                gone(self)
        if delivery.reader.lost:
            self._metrics.late_results += 1
            return
        self._metrics.answered(outcome, answer)
        delivery.reader.answered(
            delivery,
            Settled(outcome, done, delay, answer.status, code, answer.sent_at, answer.body_sha256),
        )
