"""Who answers which path: pushes to their reception, questions from the database, faults for the admin."""

from __future__ import annotations

import asyncio
import hmac
import sqlite3
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final, TypeVar

from pydantic import TypeAdapter, ValidationError

from services.runtime.logs import logger
from services.simulator import pages, paging
from services.simulator.faults import FaultRule
from services.simulator.message import HTML, Answer, json_answer, problem

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Mapping
    from concurrent.futures import Executor

    from services.simulator.journal import Journal
    from services.simulator.message import Request
    from services.simulator.reading import Reader
    from services.simulator.reception import Reception
    from services.simulator.settings import SimulatorSettings
    from services.simulator.wire import Exchange

T = TypeVar("T")
RULES: Final = TypeAdapter(list[FaultRule])

log = logger(__name__)


class Desk:
    """The handler behind the wire; `executor` is the reader's one thread."""

    def __init__(
        self,
        settings: SimulatorSettings,
        receptions: Mapping[str, Reception],
        journal: Journal,
        reader: Reader,
        executor: Executor,
    ) -> None:
        self._settings = settings
        self._receptions = receptions
        self._journal = journal
        self._reader = reader
        self._executor = executor
        self._tasks: set[asyncio.Task[None]] = set()
        token = settings.admin_token
        self._bearer = None if token is None else f"Bearer {token.get_secret_value()}".encode()

    def refuses(self, method: str, path: str) -> bool:
        if method != "POST":
            return False
        reception = self._receptions.get(path.strip("/"))
        return reception is not None and reception.faults.refuses()

    def handle(self, exchange: Exchange) -> None:
        request = exchange.request
        method = "GET" if request.method == "HEAD" else request.method
        match method, *request.path.strip("/").split("/"):
            case "POST", code if code in self._receptions:
                self._receptions[code].receive(exchange)
            case "GET", "":
                self._spawn(exchange, self._index(request))
            case "GET", "livez":
                exchange.answer(json_answer({"status": "ok"}))
            case "GET", "readyz":
                self._spawn(exchange, self._ready())
            case "GET", code, ("records" | "arrivals" | "counts") as what if code in self._receptions:
                self._spawn(exchange, self._read(code, what, request))
            case _, "admin", code, "faults":
                exchange.answer(self._admin(code, method, request))
            case _, *path:
                exchange.answer(self._unknown(path))

    def _unknown(self, segments: list[str]) -> Answer:
        match segments:
            case [code] if code in self._receptions:
                return _not_allowed(b"POST")
            case [""] | ["livez" | "readyz"]:
                return _not_allowed(b"GET, HEAD")
            case [code, "records" | "arrivals" | "counts"] if code in self._receptions:
                return _not_allowed(b"GET, HEAD")
        return problem(404, "no such path, or no such receiver")

    async def finished(self) -> None:
        """Wait until no question is being looked up any more."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    # questions

    def _spawn(self, exchange: Exchange, question: Coroutine[Any, Any, Answer]) -> None:
        task = asyncio.create_task(_answer(exchange, question))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _ask(self, question: Callable[..., T], *arguments: Any) -> Awaitable[T]:
        return asyncio.get_running_loop().run_in_executor(self._executor, question, *arguments)

    async def _index(self, request: Request) -> Answer:
        receivers = [reception.receiver for reception in self._receptions.values()]
        counts = await self._ask(self._reader.counts, list(self._receptions))
        if "text/html" in request.header(b"accept"):
            return Answer(200, pages.index(receivers, counts), HTML)
        return json_answer(
            {
                "receivers": [
                    {
                        "code": receiver.code,
                        "name_zh": receiver.name_zh,
                        "name_en": receiver.name_en,
                        "counts": asdict(counts[receiver.code]),
                        "links": {n: f"/{receiver.code}/{n}" for n in ("records", "arrivals", "counts")},
                    }
                    for receiver in receivers
                ]
            }
        )

    async def _ready(self) -> Answer:
        try:
            await self._ask(self._reader.counts, [])
        except sqlite3.Error as error:
            return problem(503, f"the database can't be read: {error}")
        if not self._journal.healthy:
            return problem(503, "the last arrivals could not be recorded")
        return json_answer({"status": "ok"})

    async def _read(self, code: str, what: str, request: Request) -> Answer:
        if what == "counts":
            counts = await self._ask(self._reader.counts, [code])
            return json_answer(asdict(counts[code]))
        try:
            after, limit = paging.asked(
                request.query, self._settings.page_limit, self._settings.page_limit_max
            )
            number = paging.whole_number("after", after or "0") if what == "arrivals" else 0
        except paging.PageError as error:
            return problem(400, str(error))
        # One more than asked for tells whether there is a next page.
        if what == "records":
            records = await self._ask(self._reader.records, code, after, limit + 1)
            return json_answer(paging.page(records, limit, "record_uid"))
        arrivals = await self._ask(self._reader.arrivals, code, number, limit + 1)
        return json_answer(paging.page(arrivals, limit, "arrival_no"))

    # faults

    def _admin(self, code: str, method: str, request: Request) -> Answer:
        if self._bearer is None:
            return problem(403, "no admin token is set, so nobody may")
        if not hmac.compare_digest(self._bearer, request.headers.get(b"authorization", b"")):
            return problem(401, "needs the admin token", headers=((b"www-authenticate", b"Bearer"),))
        reception = self._receptions.get(code)
        if reception is None:
            return problem(404, "no such receiver")
        match method:
            case "GET":
                pass
            case "DELETE":
                reception.faults.replace([])
            case "PUT":
                try:
                    reception.faults.replace(RULES.validate_json(request.body))
                except ValidationError as error:
                    listed = error.errors(include_input=False, include_url=False, include_context=False)
                    return problem(422, "the rules can't be used", errors=listed)
                log.info("faults_set", receiver=code, faults=reception.faults.view())
            case _:
                return _not_allowed(b"GET, HEAD, PUT, DELETE")
        return json_answer(reception.faults.view())


async def _answer(exchange: Exchange, question: Coroutine[Any, Any, Answer]) -> None:
    try:
        exchange.answer(await question)
    except Exception:
        log.exception("question_failed", path=exchange.request.path)
        exchange.answer(problem(500, "the simulator failed; its log says why"))


def _not_allowed(methods: bytes) -> Answer:
    return problem(405, "not on this path", headers=((b"allow", methods),))
