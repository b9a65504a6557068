"""Health: `/livez` (does this process make progress?), `/readyz` (does its work get done?), `/metrics`."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from services.broker.api.answers import json_answer
from services.broker.api.keys import Principal, scoped
from services.broker.api.models_inside import Liveness, Readiness
from services.broker.api.parts import Api, parts
from services.broker.api.problems import PROBLEMS
from services.broker.api.scopes import Scope
from services.runtime.logs import logger

log = logger(__name__)
router = APIRouter(tags=["health"])

_NAP_SECONDS = 0.01
_DOWN = HTTPStatus.SERVICE_UNAVAILABLE
_PROBE = "select parent, ahead from partition_headroom()"
_RECOVERY = "select pg_is_in_recovery() or current_setting('default_transaction_read_only')::bool"


@router.get(
    "/livez",
    summary="Does this process make progress? (存活)",
    response_class=Response,
    responses={200: {"model": Liveness}, 503: {"model": Liveness}},
)
async def livez(api: Annotated[Api, Depends(parts)]) -> Response:
    """Never tied to a dependency being up: a restart would not bring that back."""
    loop = asyncio.get_running_loop()
    before = loop.time()
    await asyncio.sleep(_NAP_SECONDS)
    lag = max(0.0, loop.time() - before - _NAP_SECONDS)
    broker_live, broker = (True, None) if api.status is None else api.status.live(api.stall_seconds)
    live = broker_live and lag < api.options.api_loop_lag_seconds
    body = {"live": live, "loop_lag_seconds": round(lag, 4), "broker": broker}
    return json_answer(body, HTTPStatus.OK if live else _DOWN)


@router.get(
    "/readyz",
    summary="Does its work get done? (就绪)",
    response_class=Response,
    responses={200: {"model": Readiness}, 503: {"model": Readiness}},
)
async def readyz(api: Annotated[Api, Depends(parts)]) -> Response:
    """503 with the reasons, in words, if the database cannot be written, no partition of feed or ledger is
    left for the next rows, events are not being turned into records, or the process is stopping.
    """
    problems = await _database_problems(api)
    broker: dict[str, Any] | None = None
    if api.status is not None:
        _, broker = api.status.ready()
        problems += [problem for problem in broker["problems"] if problem not in problems]
    if api.signal.closing and "stopping" not in problems:
        problems.append("stopping")
    body = {"ready": not problems, "problems": problems, "broker": broker}
    return json_answer(body, _DOWN if problems else HTTPStatus.OK)


@router.get(
    "/metrics",
    summary="Metrics in the Prometheus text format (指标)",
    response_class=Response,
    responses={200: {"content": {"text/plain": {}}, "description": "Metrics"}, **PROBLEMS},
)
async def metrics(
    api: Annotated[Api, Depends(parts)], _asker: Annotated[Principal, Depends(scoped(Scope.METRICS))]
) -> Response:
    return Response(generate_latest(api.registry), media_type=CONTENT_TYPE_LATEST)


async def _database_problems(api: Api) -> list[str]:
    try:
        async with asyncio.timeout(api.options.api_probe_seconds), api.pool.acquire() as connection:
            read_only = await connection.fetchval(_RECOVERY)
            headroom = await connection.fetch(_PROBE)
    except Exception as error:  # noqa: BLE001  whatever it is, the database cannot be used, and that is the answer
        log.warning("not_ready", error=type(error).__name__)
        return ["database down"]
    problems = ["database read-only"] if read_only else []
    return problems + [f"no partition of {row['parent']} left" for row in headroom if row["ahead"] == 0]
