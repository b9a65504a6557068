"""A batch: what one register transaction takes in, and how far it moves which partitions. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from services.broker.arrival import Arrival


@dataclass(frozen=True, slots=True)
class Span:
    """One partition's part of a batch: valid under `epoch`, from offset `first` to before `next`."""

    partition: int
    epoch: int
    first: int
    next: int


@dataclass(frozen=True, slots=True)
class Batch:
    """`session`: the take-over under which it was read; a later one makes it void."""

    topic: str
    session: int
    spans: tuple[Span, ...]
    arrivals: tuple[Arrival, ...]

    def halves(self) -> tuple[Batch, Batch]:
        """Two batches that together do the same, the first one first."""
        middle = len(self.arrivals) // 2
        early, late = self.arrivals[:middle], self.arrivals[middle:]
        begin_late: dict[int, int] = {}
        for arrival in late:
            begin_late.setdefault(arrival.message.partition, arrival.message.offset)
        here, there = [], []
        for span in self.spans:
            cut = begin_late.get(span.partition, span.next)
            in_early = any(arrival.message.partition == span.partition for arrival in early)
            if not in_early:
                there.append(span)
            elif span.partition not in begin_late:
                here.append(span)
            else:
                here.append(Span(span.partition, span.epoch, span.first, cut))
                there.append(Span(span.partition, span.epoch, cut, span.next))
        return (
            Batch(self.topic, self.session, tuple(here), early),
            Batch(self.topic, self.session, tuple(there), late),
        )
