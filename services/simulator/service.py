"""The simulator as a process: `run` until told to stop, `main` for the command line."""

from __future__ import annotations

import os
import sqlite3
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING, Final

import orjson
import uvloop

from services.runtime import logs
from services.runtime.settings import read_settings
from services.runtime.stopping import stop_on_signals
from services.simulator.desk import Desk
from services.simulator.journal import Journal
from services.simulator.reading import Reader
from services.simulator.receivers import ReceiversError, configured
from services.simulator.reception import Reception
from services.simulator.server import Server
from services.simulator.settings import SimulatorSettings
from services.simulator.store import Writer

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Sequence

SUMMARY: Final = "Stand in for the receivers: verify, keep and show what is pushed, and fail on demand."
log = logs.logger(__name__)


def announce(host: str, port: int) -> None:
    """Tell on standard output, as one line of JSON, where the simulator listens."""
    line = {"service": "simulator", "host": host, "port": port, "pid": os.getpid()}
    sys.stdout.write(orjson.dumps(line).decode() + "\n")
    sys.stdout.flush()


async def run(
    settings: SimulatorSettings, stop: asyncio.Event, ready: Callable[[str, int], None] = announce
) -> None:
    """Serve until `stop` is set; `ready(host, port)` is called when the port is open.

    Raises ReceiversError, OSError (port) or sqlite3.Error (file) when it can't start.
    """
    receivers = configured(settings.receivers_file, settings.secret)
    with (
        closing(Writer(settings.database, settings.synchronous)) as writer,
        closing(Reader(settings.database)) as reader,
        ThreadPoolExecutor(1, "simulator-writer") as writing,
        ThreadPoolExecutor(1, "simulator-reader") as reading,
    ):
        journal = Journal(writer, writing, settings.commit_rows)
        receptions = {code: Reception(r, settings.seed, journal) for code, r in receivers.items()}
        desk = Desk(settings, receptions, journal, reader, reading)
        server = Server(desk, settings, writer.last_connection + 1)
        port = await server.listen()
        log.info("simulator_ready", host=settings.host, port=port, receivers=sorted(receivers))
        ready(settings.host, port)
        await stop.wait()
        await server.stop()
        await journal.written()
        await desk.finished()
    log.info("simulator_stopped")


async def _run_until_signalled(settings: SimulatorSettings) -> None:
    await run(settings, stop_on_signals())


def main(argv: Sequence[str] | None = None) -> int:
    """Run with settings from arguments and environment; the process's exit code."""
    arguments = sys.argv[1:] if argv is None else argv
    settings = read_settings(SimulatorSettings, "liancheng simulator", SUMMARY, arguments)
    logs.configure("simulator", settings.log_level, settings.log_format)
    try:
        uvloop.run(_run_until_signalled(settings))
    except (ReceiversError, OSError, sqlite3.Error) as error:
        log.error("simulator_can_not_run", reason=str(error))  # noqa: TRY400 (the reason is all there is to say)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
