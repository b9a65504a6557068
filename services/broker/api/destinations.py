"""`GET /v1/destinations`: how every destination stands, and how far behind each of its shards is."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from services.broker.api.answers import list_answer
from services.broker.api.keys import Principal, scoped
from services.broker.api.models_inside import DestinationList
from services.broker.api.parts import Api, parts
from services.broker.api.problems import PROBLEMS
from services.broker.api.scopes import Scope

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

router = APIRouter(tags=["operations"])

# A shard that no publisher has claimed yet has no lease: it stands where the destination starts.
_SHARDS = """
select d.code, d.name_zh, d.name_en, d.agency_type, d.channel, d.areas, d.regions, d.state, d.state_reason,
    d.start_after, n.shard, l.owner, coalesce(l.token, 0) as token, l.expires_at,
    coalesce(l.position, d.start_after) as position, coalesce(l.intent_to, d.start_after) as intent_to,
    coalesce(p.parked, 0) as parked, p.oldest_parked_at
from destination d cross join generate_series(0, d.shards - 1) n(shard)
left join lease l on l.destination = d.code and l.shard = n.shard
left join (
    select destination, shard, count(*) as parked, min(parked_at) as oldest_parked_at
    from parked_delivery group by destination, shard
) p on p.destination = d.code and p.shard = n.shard
order by d.code, n.shard
"""
_OF_DESTINATION = (
    "code", "name_zh", "name_en", "agency_type", "channel", "areas", "regions", "state", "state_reason",
    "start_after",
)  # fmt: skip
_OF_SHARD = ("shard", "owner", "token", "expires_at", "position", "intent_to", "parked")


@router.get(
    "/v1/destinations",
    summary="Destinations and their backlog (推送目的地)",
    response_class=Response,
    responses={200: {"model": DestinationList}, **PROBLEMS},
)
async def destinations(
    request: Request,
    api: Annotated[Api, Depends(parts)],
    asker: Annotated[Principal, Depends(scoped(Scope.AUDIT))],
) -> Response:
    """State, and per shard: owner, position, lag behind the feed, announced range, parked deliveries."""
    async with api.seen_by(asker) as connection:
        rows = await connection.fetch(_SHARDS)
        head = await connection.fetchval("select feed from sequence_head")
    items = [_destination(list(of_one), head) for _, of_one in groupby(rows, key=lambda row: row["code"])]
    return list_answer(request, items, None, feed_head=head)


def _destination(rows: list[Mapping[str, Any]], head: int) -> dict[str, Any]:
    shards = [
        {**{name: row[name] for name in _OF_SHARD}, "lag": max(0, head - row["position"])} for row in rows
    ]
    return {
        **{name: rows[0][name] for name in _OF_DESTINATION},
        "lag": max(shard["lag"] for shard in shards),
        "parked": sum(shard["parked"] for shard in shards),
        "oldest_parked_at": _oldest(row["oldest_parked_at"] for row in rows),
        "shards": shards,
    }


def _oldest(moments: Iterable[datetime | None]) -> datetime | None:
    return min((moment for moment in moments if moment is not None), default=None)
