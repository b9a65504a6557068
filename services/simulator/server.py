"""The listening side: its connections, their bound, their clock and their end."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from services.runtime.logs import logger
from services.simulator.wire import Connection

if TYPE_CHECKING:
    from services.simulator.settings import SimulatorSettings
    from services.simulator.wire import Handler

SWEEP_S: Final = 0.5
"""Time between two looks at the time-outs (s); one sweep for all is cheaper than a timer per request."""

log = logger(__name__)


class Server:
    """Connections are numbered upwards from `first_connection`."""

    def __init__(self, handler: Handler, settings: SimulatorSettings, first_connection: int = 1) -> None:
        self.handler = handler
        self.settings = settings
        self.loop = asyncio.get_running_loop()
        self.draining = False
        self._next_number = first_connection
        self._connections: set[Connection] = set()
        self._gone = asyncio.Event()
        self._listener: asyncio.Server | None = None
        self._sweeper: asyncio.TimerHandle | None = None

    async def listen(self) -> int:
        """Open the socket and return its port."""
        self._listener = await self.loop.create_server(
            lambda: Connection(self), self.settings.host, self.settings.port, backlog=1024
        )
        self._sweep()
        port: int = self._listener.sockets[0].getsockname()[1]
        return port

    async def stop(self) -> None:
        """Listen no more, give requests in hand `drain_seconds` to be answered, then reset the rest."""
        self.draining = True
        if self._listener is not None:
            self._listener.close()
        for connection in tuple(self._connections):
            if not connection.busy:
                connection.close()
        try:
            async with asyncio.timeout(self.settings.drain_seconds):
                while any(connection.busy or connection.unsent for connection in self._connections):
                    self._gone.clear()
                    await self._gone.wait()
        except TimeoutError:
            log.warning("connections_cut_off", connections=len(self._connections))
        for connection in tuple(self._connections):
            connection.reset()
        while self._connections:
            self._gone.clear()
            await self._gone.wait()
        if self._sweeper is not None:
            self._sweeper.cancel()

    def next_number(self) -> int:
        number = self._next_number
        self._next_number += 1
        return number

    def admit(self, connection: Connection) -> bool:
        """Take a new connection, unless there are too many or the server stops."""
        full = len(self._connections) >= self.settings.max_connections
        if full:
            log.warning("connection_refused", max_connections=self.settings.max_connections)
        self._connections.add(connection)
        return not full and not self.draining

    def forget(self, connection: Connection) -> None:
        self._connections.discard(connection)
        self._gone.set()

    def _sweep(self) -> None:
        now = self.loop.time()
        for connection in tuple(self._connections):
            connection.check_time(now)
        self._sweeper = self.loop.call_later(SWEEP_S, self._sweep)
