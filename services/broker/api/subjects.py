"""`GET /v1/subjects/{uscc}`: the records of one enterprise that the key may see."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from services.broker.api.answers import list_answer, page_limit
from services.broker.api.check import normalised
from services.broker.api.keys import Principal, scoped
from services.broker.api.models import SubjectAnswer
from services.broker.api.parts import Api, parts
from services.broker.api.problems import PROBLEMS
from services.broker.api.record_search import find_records
from services.broker.api.rendering import shown_record
from services.broker.api.scopes import Scope

router = APIRouter(tags=["records"])


@router.get(
    "/v1/subjects/{uscc}",
    summary="The records of an enterprise (信用主体)",
    response_class=Response,
    responses={200: {"model": SubjectAnswer}, **PROBLEMS},
)
async def subject(
    request: Request,
    api: Annotated[Api, Depends(parts)],
    asker: Annotated[Principal, Depends(scoped(Scope.RECORDS))],
    uscc: Annotated[str, Path(description="Unified social credit code; normalised before use")],
    cursor: Annotated[str | None, Query()] = None,
    limit: Annotated[int | None, Query(ge=1)] = None,
) -> Response:
    """Each record in its newest version."""
    code, most = normalised(uscc), page_limit(limit, api.options)
    async with api.seen_by(asker) as connection:
        rows, following = await find_records(connection, "uscc", code, cursor, most)
    items = [shown_record(row, asker, api.catalogue) for row in rows]
    return list_answer(request, items, following, uscc=code)
