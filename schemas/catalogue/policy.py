"""The shapes of the catalogue's files: profiles, measures, bases, rule versions. Validated by pydantic at
load.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from schemas.catalogue.terms import terms
from schemas.events.types import (
    BasisLevel,
    CatalogueClass,
    CodeOf,
    Dimension,
    Disposal,
    EnvironmentGrade,
    RecordClass,
    Region,
    Severity,
)

Mark = Literal["M"]
"""`M`: our default by analogy, not read in a source."""
DimensionCode = Dimension
Days = Annotated[int, Field(ge=0, le=366)]
Months = Annotated[int, Field(ge=0, le=1200)]
Codes = Annotated[
    tuple[str, ...],
    BeforeValidator(
        lambda value: [value] if isinstance(value, str) else value, json_schema_input_type=str | list[str]
    ),
]
"""A list of codes; one alone may stand without brackets."""


class Entry(BaseModel):
    """A row of a file: an unknown key is a typing error in the file, and refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Dated(Entry):
    """Valid from and to, both days included; an absent end is open."""

    valid_from: date | None = None
    valid_to: date | None = None

    def valid_on(self, day: date) -> bool:
        return (self.valid_from is None or self.valid_from <= day) and (
            self.valid_to is None or day <= self.valid_to
        )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.valid_from and self.valid_to and self.valid_to < self.valid_from:
            raise ValueError("valid_to is before valid_from")
        return self


class Area(Entry):
    """A sanction area; `PRICE` and `CREDIT` are areas of their own families."""

    code: str
    zh: str
    en: str
    family: Annotated[str, CodeOf("measure_families")] = "AREA"
    source: str = ""


class BasisReference(Entry):
    id: str
    article: str = ""


class Measure(Dated):
    """A measure in the public catalogue."""

    code: str
    area: str
    zh: str
    en: str
    category: Annotated[str, CodeOf("measure_categories")] | None = None
    force: Annotated[str, CodeOf("measure_forces")]
    agency_type: Annotated[str, CodeOf("agency_types")]
    other_agency_types: tuple[Annotated[str, CodeOf("agency_types")], ...] = ()
    basis: Annotated[tuple[BasisReference, ...], Field(min_length=1)]
    region: Region | None = None
    positive: bool = False
    """An incentive: never goes with a listing."""
    predicate: Literal["capacity", "environment"] | None = None
    """PRICE only: due for a capacity item (its class, or industry with a dimension), or for a grade of the
    subject.
    """
    industry_dimensions: tuple[DimensionCode, ...] = ()
    """PRICE by industry: only with one of these dimensions."""
    note: str = ""
    mark: Mark | None = None


class LegalBasis(Dated):
    id: str
    title: str
    doc_no: str = ""
    aliases: tuple[str, ...] = ()
    level: BasisLevel
    status: Annotated[str, CodeOf("basis_statuses")] = "IN_FORCE"
    region: Region | None = None
    mark: Mark | None = None

    def in_force(self, day: date) -> bool:
        return self.status == "IN_FORCE" and self.valid_on(day)


class Channel(Entry):
    code: str
    name: str
    public: bool
    kind: str
    """What it is, in words; shown, never judged."""


class Route(Entry):
    channel: str
    mode: Annotated[str, CodeOf("route_modes")] = "DIRECT"


class CoveredRegion(Dated):
    code: Region
    name: str
    parent: Region | None = None


class IndustryMap(Entry):
    """GB/T 4754 editions by year, and the codes that changed from 2011 to 2017."""

    editions: dict[str, str]
    mapped_2011_to_2017: dict[str, str]


class CataloguedAuthority(Entry):
    uscc: str
    name: str
    region: Region


class Limit(Entry):
    """The time to meet one dimension: exactly one of months from the order, `immediate`, or the plan's
    date.
    """

    limit_months: Annotated[int, Field(ge=1, le=1200)] | None = None
    limit: Literal["immediate", "plan_date"] | None = None
    extension_months_max: Annotated[int, Field(ge=1, le=1200)] | None = None

    @model_validator(mode="after")
    def _one_limit(self) -> Self:
        if (self.limit_months is None) == (self.limit is None):
            raise ValueError("give limit_months or limit, and not both")
        return self


class Price(Entry):
    """Price scope: catalogue classes, GB/T 4754-2017 classes, colours of the environmental credit grade."""

    classes: tuple[CatalogueClass, ...] = ()
    industries: tuple[Annotated[str, Field(pattern="^[0-9]{4}$")], ...] = ()
    env_colours: tuple[EnvironmentGrade, ...] = ()


class Window(Entry):
    """Publicity in months from `listed_on`: shortest before a repair, longest before it expires."""

    min_months: Months
    max_months: Months

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.max_months < self.min_months:
            raise ValueError("max_months is less than min_months")
        return self


class Profile(Dated):
    """What one city's policy says, from one edition to the next (`RULINGS` P2)."""

    region: Region
    name: str
    valid_from: date
    horizon: int | None = None
    covers: Annotated[tuple[CoveredRegion, ...], Field(min_length=1)]
    dimensions: Annotated[dict[DimensionCode, Limit], Field(min_length=1)]
    routes: Annotated[tuple[Route, ...], Field(min_length=1)]
    copy_to: Codes = ()
    areas: Annotated[tuple[str, ...], Field(min_length=1)]
    price: Price = Price()
    credit_measures: tuple[str, ...] = ()
    record_class: RecordClass
    severity: Severity
    fallback_class: RecordClass | None = None
    windows: dict[Severity, Window] = {}
    clocks: dict[Annotated[str, CodeOf("causes")], Days] = {}
    defence_days: Days = 5
    bases: tuple[LegalBasis, ...] = ()
    authorities: tuple[CataloguedAuthority, ...] = ()
    channels: tuple[Channel, ...] = ()
    by_analogy: tuple[str, ...] = ()
    """Keys of this file whose values are marked `M`."""

    @property
    def edition(self) -> str:
        """Names the profile in a record: region and first day."""
        return f"{self.region}@{self.valid_from}"


class RuleVersion(Entry):
    """The publicity windows for decisions dated from `decided_from` to `decided_to`, both included."""

    id: str
    title: str
    decided_from: date | None = None
    decided_to: date | None = None
    severity: dict[Severity, Window]
    reads_as: dict[Severity, Severity] = {}
    """Severities that the rule does not know, for their window only."""
    minimum_by_dimension: dict[DimensionCode, Months] = {}
    mark: Mark | None = None

    def window(self, severity: str) -> Window:
        return self.severity[self.reads_as.get(severity, severity)]

    @model_validator(mode="after")
    def _complete(self) -> Self:
        for severity in terms("severities"):
            if self.reads_as.get(severity, severity) not in self.severity:
                raise ValueError(f"no window for {severity}")
        return self


class Clock(Entry):
    """Working days for the receivers' acknowledgement of a retraction, by its cause (`RULINGS` C1)."""

    working_days: Days
    source: str = ""
    mark: Mark | None = None


class PublishBy(Entry):
    """Working days after the decision; the least of the dimensions concerned, else `default` (`RULINGS`
    L9).
    """

    default: Days
    by_dimension: dict[DimensionCode, Days] = {}


class DisposalRule(Entry):
    """Where `present` stands without `unless`, all of `needs` belong beside it (`RULINGS` L10)."""

    present: Disposal
    unless: Disposal
    needs: tuple[Disposal, ...]


class BasisRule(Entry):
    """Levels that support a record class; `local` ones only in their own region (`RULINGS` L7)."""

    levels: tuple[BasisLevel, ...]
    local: tuple[BasisLevel, ...] = ()


class Rules(Entry):
    """What applies to every profile."""

    receiver_clock_working_days: Days
    clocks: dict[Annotated[str, CodeOf("causes")], Clock]
    publish_by: PublishBy
    record_class_bases: dict[RecordClass, BasisRule]
    category_bases: dict[Annotated[str, CodeOf("measure_categories")], BasisRule]
    unknown_basis_at_most: BasisLevel
    draft_titles: tuple[str, ...]
    disposal_rules: tuple[DisposalRule, ...] = ()
