"""The application: routes, gate and problem documents, put together from what it is given."""

from __future__ import annotations

from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING

from fastapi import Depends, FastAPI, Request, Response

from services.broker.api import audit, check, destinations, errors, feeds, health, inbox, records, subjects
from services.broker.api import catalogue as public_catalogue
from services.broker.api import settings as own_settings
from services.broker.api.answers import json_answer
from services.broker.api.catalogue import Shelf
from services.broker.api.errors import bad_parameter
from services.broker.api.feed_signal import FeedSignal
from services.broker.api.gate import Gate, RequestMetrics
from services.broker.api.keys import KeyRing
from services.broker.api.openapi import openapi_document
from services.broker.api.parts import Api

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from datetime import date

    import asyncpg
    from prometheus_client import CollectorRegistry

    from schemas.catalogue.catalogue import Catalogue
    from services.broker.api.options import ApiSettings
    from services.broker.status import BrokerStatus
    from services.runtime.settings import ServiceSettings

_RESOURCES = (
    check, feeds, records, subjects, audit, inbox, destinations, public_catalogue, own_settings, health,
)  # fmt: skip
_DESCRIPTION = """\
The joint-punishment broker's API (联惩): agencies check enterprises and follow the change feed of their
areas, auditors read the ledger, operators look after it all. Errors are problem documents (RFC 9457); their
`code` is for machines. Lists answer `{items[], next}`: `next` is the cursor of the next page."""


def create_app(
    *,
    pool: asyncpg.Pool,
    options: ApiSettings,
    catalogue: Catalogue,
    today: Callable[[], date],
    registry: CollectorRegistry,
    settings: ServiceSettings | None = None,
    status: BrokerStatus | None = None,
    stall_seconds: float = 60.0,
) -> FastAPI:
    """The API over `pool`, whose role is liancheng_api.

    `today` is the legal clock's date. `settings` are shown to administrators (default: `options`); `status`
    is the broker's that runs in this process, None for a process that only serves.
    """
    keys = KeyRing(
        pool,
        trust_seconds=options.api_key_cache_seconds,
        size=options.api_key_cache_size,
        acquire_seconds=options.api_acquire_seconds,
    )
    api = Api(
        pool=pool,
        options=options,
        settings=settings or options,
        catalogue=catalogue,
        today=today,
        keys=keys,
        signal=FeedSignal(pool, options.api_database_url.get_secret_value(), options.api_feed_poll_seconds),
        registry=registry,
        status=status,
        stall_seconds=stall_seconds,
    )
    app = routes()
    app.state.api = api
    app.state.shelf = Shelf(catalogue)
    metrics = RequestMetrics(registry)
    metrics.waiting.set_function(lambda: api.signal.waiting)
    app.add_middleware(Gate, keys=keys, metrics=metrics, most_open=options.api_connections_max)
    return app


def routes() -> FastAPI:
    """The application with its routes and without anything behind them: enough for its OpenAPI document."""
    app = FastAPI(
        title="Liancheng API",
        version=version("liancheng"),
        description=_DESCRIPTION,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=_lifespan,
        dependencies=[Depends(_known_parameters)],
    )
    for resource in _RESOURCES:
        app.include_router(resource.router)
    errors.install(app)

    @app.get("/openapi.json", include_in_schema=False)
    async def openapi() -> Response:
        return json_answer(openapi_document(app))

    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    api: Api = app.state.api
    api.signal.start()
    try:
        yield
    finally:
        await api.signal.close()


async def _known_parameters(request: Request) -> None:
    """An unknown parameter is an error: a mistyped `cursor` must not start from the beginning."""
    route = request.scope["route"]
    known = {parameter.alias for parameter in route.dependant.query_params}  # codespell:ignore dependant
    for name in request.query_params:
        if name not in known:
            raise bad_parameter(
                name[:64], "extra_forbidden", f"not a parameter; there are: {', '.join(sorted(known))}"
            )
