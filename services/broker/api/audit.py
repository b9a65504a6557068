"""`GET /v1/audit/deliveries`: who was told what, when, with which bytes, and what did they answer?"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import AwareDatetime  # noqa: TC002  FastAPI reads it at run time

from services.broker.api.answers import list_answer, page_limit
from services.broker.api.errors import bad_parameter
from services.broker.api.keys import Principal, scoped
from services.broker.api.ledger_reading import LedgerFilter, read_entries
from services.broker.api.models_inside import LedgerPage
from services.broker.api.parts import Api, parts
from services.broker.api.problems import PROBLEMS
from services.broker.api.scopes import Scope

router = APIRouter(tags=["audit"])


@router.get(
    "/v1/audit/deliveries",
    summary="The ledger of attempts and pages (推送台账)",
    response_class=Response,
    responses={200: {"model": LedgerPage}, **PROBLEMS},
)
async def deliveries(
    request: Request,
    api: Annotated[Api, Depends(parts)],
    asker: Annotated[Principal, Depends(scoped(Scope.AUDIT))],
    record_uid: Annotated[str | None, Query(min_length=1)] = None,
    destination: Annotated[
        str | None, Query(min_length=1, description="Code of a destination, or key:<key_id> of a poller")
    ] = None,
    outcome: Annotated[str | None, Query(min_length=1)] = None,
    since: Annotated[AwareDatetime | None, Query(alias="from", description="Settled at or after")] = None,
    until: Annotated[AwareDatetime | None, Query(alias="to", description="Settled before")] = None,
    cursor: Annotated[str | None, Query()] = None,
    limit: Annotated[int | None, Query(ge=1)] = None,
) -> Response:
    """Entries in the order of their numbers, newest last; nothing that commits later is ever skipped by a
    cursor.

    A page may be short, or empty, and still have a `next`: the end is where `next` is null.
    """
    if since is not None and until is not None and since >= until:
        raise bad_parameter("to", "greater_than", "must be later than from", since.isoformat())
    asked, most = LedgerFilter(record_uid, destination, outcome, since, until), page_limit(limit, api.options)
    async with api.seen_by(asker) as connection:
        entries, following = await read_entries(connection, asked, cursor, most, api.options)
    return list_answer(request, entries, following)
