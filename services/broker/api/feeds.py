"""`GET /v1/feeds/{area}/changes`: an agency follows the feed of one area, or waits for its next move."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from services.broker.api.answers import json_answer, next_link, page_limit
from services.broker.api.errors import bad_parameter
from services.broker.api.feed_page import Place, read_page, write_to_ledger
from services.broker.api.grants import granted_area
from services.broker.api.keys import Principal, scoped
from services.broker.api.models import FeedPage
from services.broker.api.parts import Api, parts
from services.broker.api.problems import PROBLEMS
from services.broker.api.scopes import Scope

if TYPE_CHECKING:
    from services.broker.api.feed_page import Page

router = APIRouter(tags=["feed"])


@router.get(
    "/v1/feeds/{area}/changes",
    summary="The change feed of one area (变更流)",
    response_class=Response,
    responses={200: {"model": FeedPage}, **PROBLEMS},
)
async def changes(
    request: Request,
    api: Annotated[Api, Depends(parts)],
    asker: Annotated[Principal, Depends(scoped(Scope.FEED))],
    area: Annotated[str, Path(description="Code of a granted area, such as SA08")],
    cursor: Annotated[
        str | None, Query(description="`next` of the page before; none: from the start")
    ] = None,
    limit: Annotated[int | None, Query(ge=1, description="Most items of the page")] = None,
    wait: Annotated[float, Query(ge=0, description="s to wait if there is nothing yet")] = 0.0,
) -> Response:
    """UPSERT, FLAG and RETRACT in feed order: no gap, no repeat.

    The page is on the ledger before its answer leaves. It covers the feed from `from_sequence` to
    `to_sequence`, rows of other areas included, so it may hold fewer items than `limit`, or none, and still
    move on; the end is reached when `to_sequence` is below `from_sequence`. `next` is always there: the feed
    goes on.
    """
    granted_area(area, asker, api.catalogue)
    most = api.options.api_feed_wait_max_seconds
    if not wait <= most:
        raise bad_parameter("wait", "less_than_equal", f"at most {most:g}", most)
    place, most_items = Place.of(area, cursor), page_limit(limit, api.options)
    page, body = await _poll(api, asker, place, most_items, wait)
    return json_answer(body, Link=next_link(request, page.following.cursor()), Cache_Control="no-store")


async def _poll(api: Api, asker: Principal, place: Place, limit: int, wait: float) -> tuple[Page, bytes]:
    """The first page with something in it, or what there is when `wait` seconds are over."""
    now = asyncio.get_running_loop().time
    deadline, scan_from = now() + wait, place.position
    while True:
        left = deadline - now()
        last_look = left <= 0 or api.signal.closing
        async with api.seen_by(asker, writes=True) as connection:
            page = await read_page(
                connection, asker, place, scan_from, limit=limit, scan_rows=api.options.api_feed_scan_rows
            )
            if page.items or last_look:
                body = page.body()
                await write_to_ledger(connection, asker, page, body)
        if page.items or last_look:
            return page, body
        scan_from = page.to_sequence
        if page.at_head:
            await api.signal.beyond(scan_from, left)
