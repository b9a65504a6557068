"""`GET /v1/inbox`: what became of every message; what waits for a person is found here."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from schemas.events.verdict import Verdict  # noqa: TC001  FastAPI reads it at run time
from schemas.uscc import normalise_uscc
from services.broker.api.answers import list_answer, page_limit
from services.broker.api.inbox_reading import InboxFilter, read_inbox
from services.broker.api.keys import Principal, scoped
from services.broker.api.models_inside import InboxPage
from services.broker.api.parts import Api, parts
from services.broker.api.problems import PROBLEMS
from services.broker.api.scopes import Scope

router = APIRouter(tags=["inbox"])


@router.get(
    "/v1/inbox",
    summary="Messages and the verdicts that stand (收件)",
    response_class=Response,
    responses={200: {"model": InboxPage}, **PROBLEMS},
)
async def inbox(
    request: Request,
    api: Annotated[Api, Depends(parts)],
    asker: Annotated[Principal, Depends(scoped(Scope.AUDIT))],
    verdict: Annotated[Verdict | None, Query()] = None,
    case_id: Annotated[str | None, Query(min_length=1)] = None,
    uscc: Annotated[str | None, Query(min_length=1, description="Subject, valid or not")] = None,
    cursor: Annotated[str | None, Query()] = None,
    limit: Annotated[int | None, Query(ge=1)] = None,
) -> Response:
    """Newest first. A page may be short, or empty, and still have a `next`: at the end `next` is null."""
    subject = None if uscc is None else normalise_uscc(uscc)
    asked, most = InboxFilter(verdict, case_id, subject), page_limit(limit, api.options)
    async with api.seen_by(asker) as connection:
        items, following = await read_inbox(connection, asked, cursor, most, api.options.api_inbox_scan_rows)
    return list_answer(request, items, following)
