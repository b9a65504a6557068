"""未按期退出: the trigger (`DOMAIN` §6.6 row 4)."""

from __future__ import annotations

from typing import ClassVar

from schemas.events.base import TYPE_PREFIX
from schemas.events.fact import FactData
from schemas.events.parts import Decision


class CapacityExitOverdue(FactData):
    """A failure to exit on time; with a served `decision` it is the listing as well (`RULINGS` L1)."""

    event_type: ClassVar[str] = TYPE_PREFIX + "capacity.exit.overdue"

    decision: Decision | None = None
