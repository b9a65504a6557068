"""The port that intake reads from: a partitioned log in a group. Kafka stands behind it; a test log can
too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence


class Message(Protocol):
    """One message as it came. `offset` counts within `partition`; header values are raw."""

    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Sequence[tuple[str, bytes | None]]: ...


@dataclass(frozen=True, slots=True)
class LogBounds:
    """What the log of a partition still holds: the first offset, and the one after the last."""

    start: int
    end: int


class OffsetsLostError(Exception):
    """The log no longer has the position of these partitions (partition → offset asked for)."""

    def __init__(self, positions: Mapping[int, int]) -> None:
        super().__init__(f"offsets {dict(positions)} are out of range")
        self.positions = dict(positions)


class SourceError(Exception):
    """The log cannot be reached or answered with an error; trying again may do."""


class EventSource(Protocol):
    """A member of a group that shares the partitions of one topic.

    `generation` rises with every new assignment; partitions then stand still until `seek`. `revoked` is
    awaited before the group may give partitions to others.
    """

    topic: str
    generation: int
    assigned: frozenset[int]
    rebalancing: bool

    async def start(self, revoked: Callable[[], Awaitable[None]]) -> None: ...

    async def poll(self, most: int, seconds: float) -> Sequence[Message]:
        """Up to `most` messages, in offset order within each partition; empty after `seconds` without any.

        OffsetsLostError or SourceError; nothing is lost by them.
        """
        ...

    async def topic_id(self) -> str | None:
        """What tells this topic from another of the same name; None if the log cannot say. SourceError."""
        ...

    async def bounds(self, partitions: Iterable[int]) -> dict[int, LogBounds]:
        """SourceError."""
        ...

    def seek(self, offsets: Mapping[int, int]) -> None:
        """Read these partitions from these offsets. Those no longer assigned are passed over."""
        ...

    def rest(self, partitions: Iterable[int]) -> None:
        """Read these partitions no more until the next `seek`."""
        ...

    async def hint(self, offsets: Mapping[int, int]) -> None:
        """Tell the group how far we are, for those who watch its lag. Nothing depends on it."""
        ...

    async def stop(self) -> None:
        """Leave the group."""
        ...
