"""The events' data: one file per type, the parts they share, the registry, and the reader."""

from __future__ import annotations

from schemas.events.base import TYPE_PREFIX, EventData
from schemas.events.capacity_exit_overdue import CapacityExitOverdue
from schemas.events.decision_revoked import DecisionRevoked
from schemas.events.fact import FactData
from schemas.events.listing_decided import ListingDecided
from schemas.events.reading import DataReading, read_data
from schemas.events.registry import EVENT_TYPES
from schemas.events.verdict import Verdict, VerdictData, verdict_bytes

__all__ = [
    "EVENT_TYPES",
    "TYPE_PREFIX",
    "CapacityExitOverdue",
    "DataReading",
    "DecisionRevoked",
    "EventData",
    "FactData",
    "ListingDecided",
    "Verdict",
    "VerdictData",
    "read_data",
    "verdict_bytes",
]
