"""A record's body: what a version says, as it is stored, pushed and shown (`RULINGS` A1).

The feed puts its envelope around it (record_uid, version, sequence, op). `RecordBody` is the contract, for
JSON Schema and OpenAPI; `record_body` builds the same as a plain dict without validating again what was
validated when it was read or computed from that. A later version is the earlier body with changes:
`{**body, "state": …}`.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import orjson
from pydantic import BaseModel, ConfigDict, Field

from schemas.events.types import (
    BasisLevel,
    CatalogueClass,
    DecisionType,
    Dimension,
    Flag,
    Reason,
    RecordCause,
    RecordClass,
    RecordState,
    Severity,
)
from schemas.events.verdict import VerdictFinding

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from schemas.codes import Finding
    from schemas.events.fact import FactData
    from schemas.events.parts import Authority, Basis, CapacityItem, Decision, Industry

Body = dict[str, Any]
"""A built `RecordBody`: JSON values, and dates as `date` until `body_bytes`."""


class Shown(BaseModel):
    """Part of the body; aliases are the names on the wire."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)


class NameShown(Shown):
    """A name and the day from which it is known to hold; the last is today's (`RULINGS` I6)."""

    name: str
    from_: date | None = Field(alias="from")


class MeasureShown(Shown):
    """A measure of this record; text, agency, force and basis are the catalogue's, by `code` and `start`."""

    area: str
    code: str
    start: date
    end: date | None


class FlagShown(Shown):
    flag: Flag
    since: date


class AuthorityShown(Shown):
    name: str
    uscc: str
    region: str


class DecisionShown(Shown):
    doc_no: str
    doc_type: DecisionType
    decided_on: date
    served_on: date | None


class RevocationShown(Shown):
    """Why it should never have been listed; the explanation is published (行政处罚法 art. 48)."""

    doc_no: str | None
    decided_on: date | None
    public_explanation: str | None


class IndustryShown(Shown):
    edition: str
    code: str


class CatalogueEntryShown(Shown):
    edition: str | None
    class_: CatalogueClass = Field(alias="class")


class CapacityItemShown(Shown):
    equipment: str
    qty: int | None
    spec: str | None
    capacity: float | None
    unit: str | None
    product: str | None
    catalog: CatalogueEntryShown | None


class BasisShown(Shown):
    basis: str
    article: str | None
    level: BasisLevel | None


class RecordBody(Shown):
    """One version of a record. Legal dates are dates in Asia/Shanghai."""

    state: RecordState
    cause: RecordCause | None = Field(description="Why it ended or is suspended")
    in_force: bool = Field(
        description="Whether area and credit measures act; price measures show by their dates"
    )
    subject: str = Field(description="USCC of the enterprise")
    former_subjects: list[str]
    names: list[NameShown]
    legal_rep: str | None
    dimensions: list[Dimension]
    reasons: list[Reason]
    effective_due: date | None
    listed_on: date | None
    publicity_until: date | None
    record_class: RecordClass
    severity: Severity
    measures: list[MeasureShown]
    flags: list[FlagShown]
    case_ids: list[str]
    authority: AuthorityShown
    co_authorities: list[AuthorityShown]
    decision: DecisionShown | None
    revocation: RevocationShown | None
    industry: IndustryShown | None
    capacity_items: list[CapacityItemShown]
    bases: list[BasisShown]
    warnings: list[VerdictFinding]


def record_body(
    data: FactData,
    *,
    state: str,
    in_force: bool,
    name_from: date | None,
    effective_due: date | None,
    listed_on: date | None,
    publicity_until: date | None,
    record_class: str,
    severity: str,
    measures: Sequence[Body] = (),
    cause: str | None = None,
    revocation: Body | None = None,
    decision: Decision | None = None,
    warnings: Iterable[Finding] = (),
) -> Body:
    """The body of a record as its first fact or listing makes it; `measures` as from `measure`,
    `revocation` as from `revocation`. `data.enterprise.uscc` must be valid.
    """
    return {
        "state": state,
        "cause": cause,
        "in_force": in_force,
        "subject": data.enterprise.uscc,
        "former_subjects": [],
        "names": [{"name": data.enterprise.name, "from": name_from}],
        "legal_rep": data.enterprise.legal_rep,
        "dimensions": list(data.dimensions),
        "reasons": [data.failure_reason],
        "effective_due": effective_due,
        "listed_on": listed_on,
        "publicity_until": publicity_until,
        "record_class": record_class,
        "severity": severity,
        "measures": list(measures),
        "flags": [],
        "case_ids": [data.case_id],
        "authority": _authority(data.authority),
        "co_authorities": [_authority(authority) for authority in data.co_authorities],
        "decision": None if decision is None else _decision(decision),
        "revocation": revocation,
        "industry": _industry(data.enterprise.industry),
        "capacity_items": [_item(item) for item in data.capacity_items],
        "bases": [_basis(basis) for basis in data.bases],
        "warnings": [finding.as_dict() for finding in warnings],
    }


def measure(area: str, code: str, start: date, end: date | None) -> Body:
    """One entry of `measures`; `end` None: until ended."""
    return {"area": area, "code": code, "start": start, "end": end}


def revocation(doc_no: str | None, decided_on: date | None, public_explanation: str | None) -> Body:
    """The `revocation` of a body."""
    return {"doc_no": doc_no, "decided_on": decided_on, "public_explanation": public_explanation}


def body_bytes(body: Body) -> bytes:
    """The body as UTF-8 JSON, keys in the order of `RecordBody`: these bytes are what is hashed and sent."""
    return orjson.dumps(body)


def _authority(authority: Authority) -> Body:
    return {"name": authority.name, "uscc": authority.uscc, "region": authority.region}


def _decision(decision: Decision) -> Body:
    return {
        "doc_no": decision.doc_no,
        "doc_type": decision.doc_type,
        "decided_on": decision.decided_on,
        "served_on": decision.served_on,
    }


def _industry(industry: Industry | None) -> Body | None:
    return None if industry is None else {"edition": industry.edition, "code": industry.code}


def _item(item: CapacityItem) -> Body:
    entry = item.catalog
    return {
        "equipment": item.equipment,
        "qty": item.qty,
        "spec": item.spec,
        "capacity": item.capacity,
        "unit": item.unit,
        "product": item.product,
        "catalog": None if entry is None else {"edition": entry.edition, "class": entry.class_},
    }


def _basis(basis: Basis) -> Body:
    return {"basis": basis.basis, "article": basis.article, "level": basis.level}
