"""What facts and listings have in common (`RULINGS` V5: nothing else is required)."""

from __future__ import annotations

from typing import ClassVar

from schemas.events.base import EventData
from schemas.events.parts import (
    Authority,
    Bases,
    CapacityItems,
    CoAuthorities,
    Dimensions,
    Disposals,
    Enterprise,
    Obligation,
)
from schemas.events.types import Reason, RecordClass, Severity, Title, Word


class FactData(EventData):
    """One authority's statement that one enterprise failed one duty, in one case."""

    subject_field: ClassVar[str | None] = "enterprise.uscc"

    case_id: Word
    enterprise: Enterprise
    authority: Authority
    dimensions: Dimensions
    failure_reason: Reason
    bases: Bases
    obligation: Obligation | None = None
    capacity_items: CapacityItems = ()
    disposal: Disposals = ()
    co_authorities: CoAuthorities = ()
    approving_authority: Title | None = None
    severity: Severity | None = None
    record_class: RecordClass | None = None
