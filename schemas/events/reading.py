"""Read an event's data: all that is wrong with it as a set of findings, and what is sound of it all the
same.

The good event pays for one validation. Only a flawed one is taken apart field by field, so that the rules
behind can still judge what does not depend on the flaw (`RULINGS` V2).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from schemas.codes import Code, Finding, Scalar
from schemas.events.plan import ReadingPlan, plan_of
from schemas.events.registry import EVENT_TYPES
from schemas.uscc import read_uscc

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic_core import ErrorDetails

    from schemas.events.base import EventData

MOST_FINDINGS = 100
"""Of one event: a verdict must stay a small message. What is beyond is counted in one last finding, and
every code is kept at least once.
"""
_SHOWN_LENGTH = 100

Location = tuple[str | int, ...]


@dataclass(slots=True)
class DataReading:
    """What became of one event's data.

    Without findings, `data` is complete. With findings it is partial: every field named in `invalid`
    (dotted, `data.` in front; a list as a whole) must not be read, and those that could not be read at all
    are None whatever their type says. It is None when nothing can be read: the type is unknown, or the data
    is no object.
    """

    data: EventData | None
    findings: list[Finding] = field(default_factory=list)
    warnings: list[Finding] = field(default_factory=list)
    invalid: frozenset[str] = frozenset()


def read_data(event_type: str, data: object) -> DataReading:
    """Read the `data` of an event of this type (the full CloudEvents `type`).

    Findings: `E_UNKNOWN_TYPE`, `E_SCHEMA`, `E_UNKNOWN_VALUE`, `E_FIELD_TOO_LONG`, `E_BASIS_MISSING`,
    `E_USCC_*`, each with its field; warnings: `W_USCC_*`. Codes of enterprises and authorities are stored
    normalised. Unknown fields are ignored and not kept. Never raises for what stands in the data.
    """
    model = EVENT_TYPES.get(event_type)
    if model is None:
        unknown = Finding(Code.E_UNKNOWN_TYPE, "type", event_type[:_SHOWN_LENGTH])
        return DataReading(None, [unknown], invalid=frozenset({"type", "data"}))
    if not isinstance(data, dict):
        return DataReading(None, [_schema("data", None, "object")], invalid=frozenset({"data"}))
    plan = plan_of(model)
    findings: list[Finding] = []
    warnings: list[Finding] = []
    if _codes_need_care(plan, data):
        data = _normalise_codes(plan, data, findings, warnings)
    try:
        read: EventData | None = model.__pydantic_validator__.validate_python(data)
    except ValidationError as error:
        # A list of wrong entries alone counts as empty too: one flaw, already named.
        errors = [
            details
            for details in error.errors(include_url=False)
            if details["type"] != "too_short" or not details["input"]
        ]
        findings += [_finding(plan, details) for details in errors]
        invalid = {_field(_prune_point(details["loc"])) for details in errors}
        read = _read_partially(plan, data, [_prune_point(details["loc"]) for details in errors])
    else:
        if not findings:
            return DataReading(read, findings, warnings)
        invalid = set()
    invalid |= {finding.field for finding in findings if finding.field}
    if read is None:
        invalid.add("data")
    return DataReading(read, _bounded(findings), warnings, frozenset(invalid))


def _codes_need_care(plan: ReadingPlan, data: dict[str, Any]) -> bool:
    """Whether any code is invalid, needs normalising or earns a warning: rare, and so found first."""
    for part, name in plan.single:
        holder = data.get(part) if part else data
        if type(holder) is dict and _needs_care(holder.get(name)):
            return True
    for listed, name in plan.listed:
        entries = data.get(listed)
        if type(entries) is list and any(
            _needs_care(entry.get(name) if name and type(entry) is dict else entry) for entry in entries
        ):
            return True
    return False


def _needs_care(text: object) -> bool:
    if type(text) is not str:
        return False
    reading = read_uscc(text)
    return not reading.valid or bool(reading.warnings)


def _normalise_codes(
    plan: ReadingPlan, data: dict[str, Any], findings: list[Finding], warnings: list[Finding]
) -> dict[str, Any]:
    """A copy of the data with normalised codes, and what is to be said of each."""

    def code(text: object, where: str) -> object:
        if not isinstance(text, str):
            return text
        reading = read_uscc(text)
        findings.extend(finding.at(where) for finding in reading.findings)
        warnings.extend(warning.at(where) for warning in reading.warnings)
        return reading.code or text

    def inside(holder: Any, name: str, where: str) -> Any:
        if not isinstance(holder, dict) or name not in holder:
            return holder
        return holder | {name: code(holder[name], f"{where}.{name}")}

    for part, name in plan.single:
        if not part:
            data = inside(data, name, "data")
        elif part in data:
            data = data | {part: inside(data[part], name, f"data.{part}")}
    for listed, name in plan.listed:
        if isinstance(entries := data.get(listed), list):
            places = [(entry, f"data.{listed}[{at}]") for at, entry in enumerate(entries)]
            data = data | {listed: [inside(e, name, at) if name else code(e, at) for e, at in places]}
    return data


def _read_partially(plan: ReadingPlan, data: dict[str, Any], locations: list[Location]) -> EventData | None:
    """The data without what is wrong, in a model whose fields may be missing."""
    for location in locations:
        data = _without(data, location)
    try:
        return plan.partial.__pydantic_validator__.validate_python(data)  # type: ignore[no-any-return]
    except ValidationError:
        return None


def _without(data: dict[str, Any], location: Location) -> dict[str, Any]:
    step, *deeper = location
    if step not in data:
        return data
    if deeper and isinstance(inner := data[str(step)], dict):
        return data | {str(step): _without(inner, tuple(deeper))}
    return {key: value for key, value in data.items() if key != step}


def _prune_point(location: Location) -> Location:
    """Where to cut: a list is invalid as a whole, since what is missing from a set changes what it says."""
    for at, step in enumerate(location):
        if isinstance(step, int):
            return location[:at]
    return location


def _finding(plan: ReadingPlan, details: ErrorDetails) -> Finding:
    location, kind, given = details["loc"], details["type"], details["input"]
    if location == ("bases",) and (kind in ("missing", "too_short") or given is None):
        return Finding(Code.E_BASIS_MISSING, "data.bases")
    if kind == "literal_error" and isinstance(given, str):
        # An entry of a set has no number of its own: the value names it.
        where = location[:-1] if isinstance(location[-1], int) else location
        return Finding(Code.E_UNKNOWN_VALUE, _field(where), given[:_SHOWN_LENGTH], details["ctx"]["expected"])
    if kind == "string_too_long":
        return Finding(Code.E_FIELD_TOO_LONG, _field(location), len(given), details["ctx"]["max_length"])
    private = ".".join(step for step in location if isinstance(step, str)) in plan.private
    return _schema(_field(location), None if private or kind == "missing" else given, _expected(details))


def _expected(details: ErrorDetails) -> str:
    return "required" if details["type"] == "missing" else details["msg"]


def _schema(where: str, given: object, expected: str) -> Finding:
    shown: Scalar = given if isinstance(given, int | float | bool) else None
    if isinstance(given, str):
        shown = given[:_SHOWN_LENGTH]
    return Finding(Code.E_SCHEMA, where, shown, expected)


def _field(location: Location) -> str:
    return "data" + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in location)


def _bounded(findings: list[Finding]) -> list[Finding]:
    if len(findings) <= MOST_FINDINGS:
        return findings
    return [*_kept(findings), _schema("data", len(findings), f"{MOST_FINDINGS} of these findings are listed")]


def _kept(findings: list[Finding]) -> Iterator[Finding]:
    seen: set[Code] = set()
    for number, finding in enumerate(findings):
        if number < MOST_FINDINGS or finding.code not in seen:
            yield finding
        seen.add(finding.code)
