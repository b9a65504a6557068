"""列入决定 (`DOMAIN` §6.6 row 9)."""

from __future__ import annotations

from typing import ClassVar

from schemas.events.base import TYPE_PREFIX
from schemas.events.fact import FactData
from schemas.events.parts import Decision


class ListingDecided(FactData):
    """The decision to list an enterprise, served or not yet (`RULINGS` L2)."""

    event_type: ClassVar[str] = TYPE_PREFIX + "listing.decided"

    decision: Decision
