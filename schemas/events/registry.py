"""Every event type that the broker takes, by its CloudEvents `type`. `publicity.expired` is internal
(`RULINGS` E7).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.events.capacity_exit_overdue import CapacityExitOverdue
from schemas.events.decision_revoked import DecisionRevoked
from schemas.events.listing_decided import ListingDecided

if TYPE_CHECKING:
    from schemas.events.base import EventData

EVENT_TYPES: dict[str, type[EventData]] = {
    model.event_type: model for model in (CapacityExitOverdue, ListingDecided, DecisionRevoked)
}
