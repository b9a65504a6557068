"""`GET /v1/settings`: what this process was told, secrets as asterisks."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response

from services.broker.api.answers import json_answer
from services.broker.api.keys import Principal, scoped
from services.broker.api.parts import Api, parts
from services.broker.api.problems import PROBLEMS
from services.broker.api.scopes import Scope

router = APIRouter(tags=["operations"])


@router.get(
    "/v1/settings",
    summary="The settings of this process (设置)",
    response_class=Response,
    responses={200: {"model": dict[str, Any]}, **PROBLEMS},
)
async def settings(
    api: Annotated[Api, Depends(parts)], _asker: Annotated[Principal, Depends(scoped(Scope.ADMIN))]
) -> Response:
    return json_answer(api.settings.shown())
