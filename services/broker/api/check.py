"""`GET /v1/check`: is this enterprise under a measure of mine today, since when, and by which decision?"""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

import orjson
from fastapi import APIRouter, Depends, Query, Response

from schemas.uscc import read_uscc
from services.broker.api.answers import json_answer
from services.broker.api.errors import ProblemError
from services.broker.api.grants import granted_area
from services.broker.api.keys import Principal, scoped
from services.broker.api.models import CheckAnswer
from services.broker.api.parts import Api, parts
from services.broker.api.problems import PROBLEMS
from services.broker.api.rendering import shown_measures
from services.broker.api.scopes import Scope
from services.broker.api.standing import standing

router = APIRouter(tags=["check"])

# One statement, so that the answer and its `data_version` are of one snapshot.
_RECORDS = """
select h.feed as data_version, now() as known_at, f.body
from sequence_head h
left join (record r join feed f on f.seq = r.seq) on r.subject = $1 and $2 = any(r.areas)
order by r.record_uid
"""


def normalised(uscc: str) -> str:
    """The code as stored.

    Raises:
        ProblemError: 422 with the first of its `E_USCC_…` codes, all of them in `errors`.

    """
    reading = read_uscc(uscc)
    if reading.valid:
        return reading.code
    errors = [finding.at("uscc").as_dict() for finding in reading.findings]
    code = reading.findings[0].code
    raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, code, f"uscc: {code.text()}", errors=errors)


@router.get(
    "/v1/check",
    summary="Is an enterprise under a measure of an area today? (核查)",
    response_class=Response,
    responses={200: {"model": CheckAnswer}, **PROBLEMS},
)
async def check(
    api: Annotated[Api, Depends(parts)],
    asker: Annotated[Principal, Depends(scoped(Scope.CHECK))],
    uscc: Annotated[str, Query(description="Unified social credit code; normalised before use")],
    area: Annotated[str, Query(description="Code of a granted area, such as SA08, PRICE or CREDIT")],
) -> Response:
    """Whether it is listed in the area on the legal clock's date. A revoked record answers as never listed.

    `data_version` is the newest feed sequence that the answer rests on. For PRICE `listed` is false and
    `measures` say what applies.
    """
    family = granted_area(area, asker, api.catalogue).family
    code, day = normalised(uscc), api.today()
    async with api.seen_by(asker) as connection:
        rows = await connection.fetch(_RECORDS, code, area)
    bodies = [orjson.loads(row["body"]) for row in rows if row["body"] is not None]
    found = standing(bodies, area, family, day)
    return json_answer(
        {
            "uscc": code,
            "area": area,
            "listed": found.listed,
            "since": found.since,
            "until": found.until,
            "decision": found.decision,
            "measures": shown_measures(found.measures, api.catalogue),
            "flags": found.flags,
            "matched_on": "uscc" if found.measures else None,
            "as_of": day,
            "known_at": rows[0]["known_at"],
            "data_version": rows[0]["data_version"],
        },
        Cache_Control="no-store",
    )
