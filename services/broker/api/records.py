"""Records: found by case, enterprise or document; one of them with its history and who holds what of it."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from schemas.documents import normalise_document_number
from services.broker.api.answers import json_answer, list_answer, page_limit
from services.broker.api.check import normalised
from services.broker.api.errors import ProblemError, bad_parameter
from services.broker.api.holdings import read_holdings
from services.broker.api.keys import Principal, scoped
from services.broker.api.models import RecordAnswer, RecordList
from services.broker.api.parts import Api, parts
from services.broker.api.problems import PROBLEMS
from services.broker.api.record_search import find_records
from services.broker.api.rendering import shown_record
from services.broker.api.scopes import Scope

if TYPE_CHECKING:
    from schemas.catalogue.catalogue import Catalogue

router = APIRouter(tags=["records"])

_RECORD = """
select r.record_uid, r.version, r.seq, r.areas, f.body from record r join feed f on f.seq = r.seq
where r.record_uid = $1
"""
_VERSIONS = """
select version, seq as sequence, op, state, cause, supersedes, registered_at from feed
where record_uid = $1 order by version
"""


@router.get(
    "/v1/records",
    summary="Find records (查找记录)",
    response_class=Response,
    responses={200: {"model": RecordList}, **PROBLEMS},
)
async def find(
    request: Request,
    api: Annotated[Api, Depends(parts)],
    asker: Annotated[Principal, Depends(scoped(Scope.RECORDS))],
    case_id: Annotated[str | None, Query(min_length=1)] = None,
    uscc: Annotated[str | None, Query(min_length=1)] = None,
    doc_no: Annotated[str | None, Query(min_length=1, description="However its brackets are typed")] = None,
    cursor: Annotated[str | None, Query()] = None,
    limit: Annotated[int | None, Query(ge=1)] = None,
) -> Response:
    """By exactly one of `case_id`, `uscc`, `doc_no`. Document numbers are not unique."""
    given = [
        (name, value) for name, value in (("case_id", case_id), ("uscc", uscc), ("doc_no", doc_no)) if value
    ]
    if len(given) != 1:
        raise bad_parameter("case_id, uscc, doc_no", "exactly_one", "exactly one of them is needed")
    name, value = given[0]
    if name == "uscc":
        value = normalised(value)
    elif name == "doc_no":
        value = normalise_document_number(value)
    most = page_limit(limit, api.options)
    async with api.seen_by(asker) as connection:
        rows, following = await find_records(connection, name, value, cursor, most)
    return list_answer(request, [shown_record(row, asker, api.catalogue) for row in rows], following)


@router.get(
    "/v1/records/{record_uid}",
    summary="A record, its versions, and who holds which (记录)",
    response_class=Response,
    responses={200: {"model": RecordAnswer}, **PROBLEMS},
)
async def one(
    api: Annotated[Api, Depends(parts)],
    asker: Annotated[Principal, Depends(scoped(Scope.RECORDS))],
    record_uid: Annotated[str, Path()],
) -> Response:
    """The newest version with the history of versions. Keys that see the ledger (auditors, operators) are
    also told per destination which version it is known to hold, which may have arrived, what waits, and the
    last outcome.
    """
    async with api.seen_by(asker) as connection:
        row = await connection.fetchrow(_RECORD, record_uid)
        if row is None:
            raise ProblemError(
                HTTPStatus.NOT_FOUND, "E_NO_RECORD", "There is no such record to be seen by this key."
            )
        versions = await connection.fetch(_VERSIONS, record_uid)
        holdings = await read_holdings(connection, record_uid) if asker.sees_all else None
    record = shown_record(row, asker, api.catalogue)
    return json_answer(
        {
            **record,
            "public": None
            if holdings is None
            else record["in_force"] and _on_public_site(holdings, api.catalogue),
            "versions": [dict(version) for version in versions],
            "destinations": holdings,
        },
        Cache_Control="no-store",
    )


def _on_public_site(holdings: list[dict[str, Any]], catalogue: Catalogue) -> bool:
    """*Published* is no state: it is that a public site acknowledged the record (`RULINGS` L3)."""
    own = (channel for profile in catalogue.profiles for channel in profile.channels)
    public = {channel.code for channel in (*catalogue.channels.values(), *own) if channel.public}
    return any(holding["holds"] is not None and holding["channel"] in public for holding in holdings)
