"""What the publisher says of itself: /livez, /readyz and /metrics, on a port of its own."""

from __future__ import annotations

import hmac
import time
from typing import TYPE_CHECKING, Annotated

from fastapi import FastAPI, Header, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from services.runtime.http_server import bind, serve
from services.runtime.logs import logger
from services.runtime.postgres import is_connection_loss

if TYPE_CHECKING:
    from services.publisher.service import Publisher

log = logger(__name__)
_PROBE = "select min(ahead) from partition_headroom() where parent = 'ledger'"


def health_app(publisher: Publisher) -> FastAPI:
    app = FastAPI(openapi_url=None)
    settings = publisher.settings

    @app.get("/livez")
    async def livez() -> JSONResponse:
        """The loop answers: whatever its dependencies do, this process is alive."""
        return JSONResponse({"status": "live", "publisher": publisher.name})

    @app.get("/readyz")
    async def readyz() -> JSONResponse:
        problems: list[str] = []
        if publisher.pool is None:
            return JSONResponse({"status": "not ready", "problems": ["no database connection yet"]}, 503)
        age = time.monotonic() - publisher.last_look
        if age > settings.lease_seconds:
            problems.append(f"leases were last looked after {age:.1f} s ago")
        try:
            if not await publisher.pool.fetchval(_PROBE):
                problems.append("no ledger partition is left ahead")
        except Exception as error:
            if not is_connection_loss(error):
                raise
            problems.append("the database does not answer")
        status = {"status": "ready" if not problems else "not ready", "problems": problems}
        held = {"leases": len(publisher.admissions), "publisher": publisher.name}
        return JSONResponse(status | held, 503 if problems else 200)

    @app.get("/metrics")
    async def metrics(authorization: Annotated[str, Header()] = "") -> Response:
        token = settings.metrics_token
        expected = f"Bearer {token.get_secret_value()}" if token else None
        if expected is None or not hmac.compare_digest(authorization.encode(), expected.encode()):
            problem = {
                "type": "about:blank",
                "title": "Unauthorized",
                "status": 401,
                "code": "E_UNAUTHORIZED",
            }
            return JSONResponse(problem, 401, media_type="application/problem+json")
        return Response(generate_latest(publisher.metrics.registry), media_type=CONTENT_TYPE_LATEST)

    return app


async def serve_health(publisher: Publisher) -> None:
    """Serve until cancelled."""
    settings = publisher.settings
    listening = bind(settings.health_host, settings.health_port)
    log.info("health_listens", host=settings.health_host, port=listening.getsockname()[1])
    await serve(health_app(publisher), listening)
