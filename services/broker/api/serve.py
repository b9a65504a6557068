"""Serve the application over HTTP inside the running event loop, until told to stop."""

from __future__ import annotations

import asyncio
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING

import uvicorn

from services.runtime.logs import logger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fastapi import FastAPI

    from services.broker.api.parts import Api

log = logger(__name__)
_KEEP_ALIVE_SECONDS = 75
_BACKLOG = 512


class _Server(uvicorn.Server):
    """Signals belong to the service that runs us; `listening` is called once connections are taken."""

    def __init__(self, config: uvicorn.Config, listening: Callable[[], None]) -> None:
        super().__init__(config)
        self._listening = listening

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._listening()


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
    listener = _bind(host, port)
    bound_host, bound_port = listener.getsockname()[:2]

    def tell() -> None:
        log.info("api_listening", host=bound_host, port=bound_port)
        if listening is not None:
            listening(bound_host, bound_port)

    server = _Server(
        uvicorn.Config(
            app,
            access_log=False,
            log_config=None,
            server_header=False,
            lifespan="on",
            http="httptools",
            ws="none",
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=max(1, round(api.options.api_drain_seconds)),
        ),
        tell,
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


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns Nagle's algorithm off only where the protocol is named; with it an answer takes 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    listener.setblocking(False)
    return listener
