"""A feed row as the publisher sees it, and whom it concerns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from services.publisher.wire.envelope import VersionBody


class Audience(NamedTuple):
    """Whom a version concerns: few distinct ones exist, so they are shared and matched once."""

    channels: frozenset[str]
    areas: frozenset[str]
    regions: frozenset[str]


@dataclass(slots=True, eq=False)
class FeedRow:
    """One version of one record. `body` is the record's JSON; `cause` is None unless something ended."""

    seq: int
    record_uid: str
    version: int
    op: str
    cause: str | None
    lane: str
    lane_hash: int
    audience: Audience
    traceparent: str | None
    body: bytes
    # Its share of the request body by what is seen of it (areas; None: all), made when first needed.
    rendered: dict[frozenset[str] | None, VersionBody] = field(default_factory=dict)


@dataclass(slots=True, frozen=True)
class Subscription:
    """What a destination asked for: the rows of its channel, or those of its areas in its regions."""

    channel: str | None
    areas: frozenset[str]
    regions: frozenset[str]

    @property
    def sight(self) -> frozenset[str] | None:
        """The areas whose measures are shown; None for a platform, which is shown all."""
        return self.areas if self.channel is None else None

    def matches(self, audience: Audience) -> bool:
        """Whether a version with this audience is owed. One with an empty audience is owed to nobody."""
        if self.channel is not None and self.channel in audience.channels:
            return True
        return not self.areas.isdisjoint(audience.areas) and not self.regions.isdisjoint(audience.regions)
