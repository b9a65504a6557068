"""Serve the application over HTTP inside the running event loop, until told to stop."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from services.runtime.http_server import EmbeddedServer, bind
from services.runtime.logs import logger

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastapi import FastAPI

    from services.broker.api.parts import Api

log = logger(__name__)


async def serve(
    app: FastAPI,
    host: str,
    port: int,
    stop: asyncio.Event,
    *,
    listening: Callable[[str, int], None] | None = None,
) -> None:
    """Serve until `stop`; then let waiting polls go, finish what is at hand, and return.

    `port` 0 takes a free one; `listening` is told which, once connections are taken.

    Raises:
        OSError: the address cannot be taken.

    """
    api: Api = app.state.api
    listener = bind(host, port)
    bound_host, bound_port = listener.getsockname()[:2]

    def tell() -> None:
        log.info("api_listening", host=bound_host, port=bound_port)
        if listening is not None:
            listening(bound_host, bound_port)

    server = EmbeddedServer(
        app, tell, lifespan=True, close_seconds=max(1, round(api.options.api_drain_seconds))
    )

    async def stop_server() -> None:
        await stop.wait()
        api.signal.end_waits()
        server.should_exit = True

    stopping = asyncio.create_task(stop_server(), name="api-stop")
    try:
        await server.serve(sockets=[listener])
    finally:
        stopping.cancel()
        await asyncio.gather(stopping, return_exceptions=True)
        listener.close()
    log.info("api_stopped")
