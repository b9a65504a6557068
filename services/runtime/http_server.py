"""An HTTP server inside a service's own loop, without signal handlers, its port known before it serves."""

from __future__ import annotations

import asyncio
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING

import uvicorn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fastapi import FastAPI

_BACKLOG = 512
_KEEP_ALIVE_SECONDS = 75
_CLOSE_SECONDS = 2


class EmbeddedServer(uvicorn.Server):
    """Signals belong to the service that runs us; `listening` is called once connections are taken."""

    def __init__(
        self,
        app: FastAPI,
        listening: Callable[[], None] = lambda: None,
        *,
        lifespan: bool = False,
        close_seconds: int = _CLOSE_SECONDS,
    ) -> None:
        """`close_seconds`: how long open answers have to end when the service stops."""
        super().__init__(
            uvicorn.Config(
                app,
                access_log=False,
                log_config=None,
                server_header=False,
                lifespan="on" if lifespan else "off",
                http="httptools",
                ws="none",
                timeout_keep_alive=_KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=close_seconds,
            )
        )
        self._listening = listening

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._listening()


def bind(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one. OSError when the address can't be taken."""
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


async def serve(app: FastAPI, listening: socket.socket) -> None:
    """Serve until cancelled, then end open answers and close."""
    server = EmbeddedServer(app)
    task = asyncio.ensure_future(server.serve(sockets=[listening]))
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        server.should_exit = True
        await task
        raise
