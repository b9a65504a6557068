"""Field types of the events: strict, validated inside pydantic-core, bounded so that nothing later can
overflow.

Lengths are those of the canonical record (`DOMAIN` §6.2): what is longer could never be published and is
refused with the field's name, never cut.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import ConfigDict, Field, StringConstraints
from pydantic_core import core_schema

from schemas.catalogue.terms import terms

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic.json_schema import JsonSchemaValue

STRICT = ConfigDict(extra="ignore", strict=True, frozen=True, hide_input_in_errors=True)
"""Unknown fields are ignored (and so never kept); nothing is coerced; a validated event is a value."""

FIRST_DATE, LAST_DATE = date(1900, 1, 1), date(2999, 12, 31)
"""Legal dates outside are typing errors, and arithmetic on them could leave the calendar."""


class _IsoDate:
    """A date as `YYYY-MM-DD` and nothing else: pydantic alone would also take timestamps and times of day."""

    def __get_pydantic_core_schema__(
        self, _source: Any, _handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        text = core_schema.str_schema(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$", strict=True)
        day = core_schema.date_schema(ge=FIRST_DATE, le=LAST_DATE, strict=False)
        return core_schema.chain_schema([text, day])

    def __get_pydantic_json_schema__(
        self, _schema: core_schema.CoreSchema, _handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"type": "string", "format": "date"}


@dataclass(frozen=True, slots=True)
class CodeOf:
    """A code of a catalogue table; other spellings of it are read as the code. Anything else:
    `E_UNKNOWN_VALUE`.
    """

    table: str

    def __get_pydantic_core_schema__(
        self, _source: Any, _handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        rows = terms(self.table)
        codes = {spelling: code for code, row in rows.items() for spelling in (code, *row.spellings)}
        literal = core_schema.literal_schema(list(codes))
        if len(codes) == len(rows):
            return literal
        return core_schema.no_info_after_validator_function(codes.__getitem__, literal)


class IsUscc:
    """Marks a field that holds a USCC: `read_data` checks it and stores it normalised."""

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return handler(schema) | {"pattern": "^[0-9A-HJ-NPQRTUWXY]{18}$"}


class Personal:
    """Marks a field whose content no finding, log or metric repeats."""


def _text(length: int) -> StringConstraints:
    return StringConstraints(strict=True, pattern=r"\S", max_length=length)


LegalDate = Annotated[date, _IsoDate()]
Uscc = Annotated[str, IsUscc()]
Region = Annotated[str, StringConstraints(strict=True, pattern=r"^[0-9]{6}$")]
"""A GB/T 2260 code of the administrative division that an authority acts for."""
Title = Annotated[str, _text(200)]
DocumentNumber = Annotated[str, _text(128)]
Word = Annotated[str, _text(100)]
Note = Annotated[str, _text(2000)]
PersonName = Annotated[str, _text(50), Personal()]
Months = Annotated[int, Field(ge=1, le=1200)]
Year = Annotated[int, Field(ge=FIRST_DATE.year, le=LAST_DATE.year)]
Count = Annotated[int, Field(ge=0, le=10**9)]
Amount = Annotated[float, Field(ge=0, le=1e12, allow_inf_nan=False)]

Dimension = Annotated[str, CodeOf("dimensions")]
Reason = Annotated[str, CodeOf("reasons")]
Disposal = Annotated[str, CodeOf("disposals")]
Severity = Annotated[str, CodeOf("severities")]
RecordClass = Annotated[str, CodeOf("record_classes")]
BasisLevel = Annotated[str, CodeOf("basis_levels")]
DecisionType = Annotated[str, CodeOf("decision_types")]
Defence = Annotated[str, CodeOf("defences")]
RevocationNature = Annotated[str, CodeOf("revocation_natures")]
CatalogueClass = Annotated[str, CodeOf("catalogue_classes")]
EnvironmentGrade = Annotated[str, CodeOf("environment_grades")]
RecordState = Annotated[str, CodeOf("states")]
RecordCause = Annotated[str, CodeOf("causes")]
Flag = Annotated[str, CodeOf("flags")]
