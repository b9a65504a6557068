"""The parts that events share: the enterprise, the authority, the obligation, its equipment, the decision,
bases.
"""

from __future__ import annotations

from operator import attrgetter
from typing import Annotated

from annotated_types import Len
from pydantic import AfterValidator, BaseModel, Field, Strict

from schemas.documents import normalise_document_number, normalise_name
from schemas.events.types import (
    STRICT,
    Amount,
    BasisLevel,
    CatalogueClass,
    Count,
    DecisionType,
    Defence,
    Dimension,
    Disposal,
    DocumentNumber,
    EnvironmentGrade,
    LegalDate,
    Months,
    PersonName,
    Region,
    Title,
    Uscc,
    Word,
    Year,
)

MOST_ENTRIES = 1000
"""Bound on every list inside an event: far above any real case, far below what could exhaust a broker."""


class Part(BaseModel):
    model_config = STRICT


class Industry(Part):
    """GB/T 4754; a bare code is ambiguous between editions (3140), so the edition goes with it."""

    edition: Word
    code: Annotated[str, Field(pattern=r"^[A-Z]?[0-9]{2,4}$")]


class EnvironmentalCredit(Part):
    """Environmental credit grade (企业环保信用评价) of a year."""

    year: Year
    grade: EnvironmentGrade


class Enterprise(Part):
    """The subject as the document names it. `legal_rep` is a name; identity numbers are not known to the
    model.
    """

    name: Title
    uscc: Uscc
    legal_rep: PersonName | None = None
    org_code: Word | None = None
    industry: Industry | None = None
    seed_industry: Word | None = None
    env_credit: EnvironmentalCredit | None = None


class Authority(Part):
    """An organ as the document names it; it *is* its code. `region`: GB/T 2260 of its jurisdiction."""

    name: Title
    uscc: Uscc
    region: Region


class Extension(Part):
    """A granted extension: whole months from the base date."""

    months: Months
    doc_no: DocumentNumber | None = None
    granted_on: LegalDate | None = None
    applied_on: LegalDate | None = None


class Obligation(Part):
    """What was owed and by when. `due_on` is the base date, without extension (`RULINGS` T5)."""

    ordered_on: LegalDate | None = None
    base_months: Months | None = None
    due_on: LegalDate | None = None
    extension: Extension | None = None
    stat_year: Year | None = None
    plan_item: Title | None = None


class CatalogueEntry(Part):
    """Class in an edition of the Guidance Catalogue for Industrial Restructuring (产业结构调整指导目录)."""

    edition: Word | None = None
    class_: Annotated[CatalogueClass, Field(alias="class")]


class CapacityItem(Part):
    """One kind of equipment or line; `capacity` in `unit` (万吨/年, kVA, …)."""

    equipment: Title
    qty: Count | None = None
    spec: Word | None = None
    capacity: Amount | None = None
    unit: Word | None = None
    product: Word | None = None
    catalog: CatalogueEntry | None = None


class Basis(Part):
    """A legal basis as the document cites it."""

    basis: Title
    article: Title | None = None
    level: BasisLevel | None = None


class Notice(Part):
    """列入告知. A missing `defence` means what the window says (`RULINGS` L2)."""

    served_on: LegalDate
    doc_no: DocumentNumber | None = None
    defence: Defence | None = None
    defence_until: LegalDate | None = None


class Decision(Part):
    """列入决定. Not yet served, or without a notice, it is still a decision (`RULINGS` L2)."""

    doc_no: DocumentNumber
    doc_type: DecisionType
    decided_on: LegalDate
    served_on: LegalDate | None = None
    listed_on: LegalDate | None = None
    publicity_until: LegalDate | None = None
    notice: Notice | None = None
    repair_notice_served: bool | None = None
    document_sm3: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None


class Revoking(Part):
    """The act that revokes a decision; `by` may be a court or a reviewing authority, of any code."""

    by: Title | None = None
    doc_no: DocumentNumber | None = None
    decided_on: LegalDate | None = None


def _as_set(codes: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(set(codes)))


def _bases_in_order(bases: tuple[Basis, ...]) -> tuple[Basis, ...]:
    number = normalise_document_number
    return tuple(sorted(bases, key=lambda b: (number(b.basis), number(b.article or ""), b.level or "")))


def _items_in_order(items: tuple[CapacityItem, ...]) -> tuple[CapacityItem, ...]:
    name = normalise_name
    return tuple(
        sorted(items, key=lambda i: (name(i.equipment), name(i.spec or ""), i.capacity or 0, i.qty or 0))
    )


def _authorities_in_order(authorities: tuple[Authority, ...]) -> tuple[Authority, ...]:
    return tuple(sorted(authorities, key=attrgetter("uscc")))


# Sets are put in one order as they are read, so that equal content has equal bytes (`RULINGS` I2).
_FROM_LIST = Strict(strict=False)  # the tuple alone, for JSON has only lists; what is in it stays strict
_SOME, _ANY = Len(1, MOST_ENTRIES), Len(0, MOST_ENTRIES)
Dimensions = Annotated[tuple[Dimension, ...], _FROM_LIST, _SOME, AfterValidator(_as_set)]
Disposals = Annotated[tuple[Disposal, ...], _FROM_LIST, _ANY, AfterValidator(_as_set)]
Bases = Annotated[tuple[Basis, ...], _FROM_LIST, _SOME, AfterValidator(_bases_in_order)]
CapacityItems = Annotated[tuple[CapacityItem, ...], _FROM_LIST, _ANY, AfterValidator(_items_in_order)]
CoAuthorities = Annotated[tuple[Authority, ...], _FROM_LIST, _ANY, AfterValidator(_authorities_in_order)]
