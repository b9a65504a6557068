"""The gate: what happens to every request before and after its handler.

It gives the request a trace id, lets nobody in without a key but to what is public, turns what a handler did
not foresee into a problem document, and writes one log line. Refusing is the default: a route that is added
without a thought about access answers 401. Logged is the route, never the path or the query, which name
enterprises.
"""

from __future__ import annotations

import re
import secrets
import time
from typing import TYPE_CHECKING

import structlog
from prometheus_client import Counter, Gauge, Histogram

from services.broker.api.errors import problem_for, unavailable
from services.runtime.logs import logger

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from services.broker.api.keys import KeyRing

log = logger(__name__)

PUBLIC = frozenset({"/livez", "/readyz", "/v1/catalogue"})
PUBLIC_BELOW = "/v1/catalogue/"
TRACE_HEADER = b"trace-id"
# W3C Trace Context: version, trace id, parent id, flags; a trace id of zeros is none.
_TRACEPARENT = re.compile(
    rb"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?"
)
_SERVER_ERROR = 500
_SECONDS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30, 60)


class RequestMetrics:
    """Requests by route (never by path), method and status."""

    def __init__(self, registry: CollectorRegistry) -> None:
        labels = ["route", "method"]
        self.requests = Counter(
            "liancheng_api_requests", "Requests answered", [*labels, "status"], registry=registry
        )
        self.seconds = Histogram(
            "liancheng_api_request_seconds",
            "From request to answer, waiting of polls included",
            labels,
            buckets=_SECONDS,
            registry=registry,
        )
        self.waiting = Gauge(
            "liancheng_api_polls_waiting", "Polls that wait for the feed to move", registry=registry
        )


def is_public(path: str) -> bool:
    return path in PUBLIC or path.startswith(PUBLIC_BELOW)


class Gate:
    """ASGI middleware around the whole application."""

    def __init__(self, app: ASGIApp, keys: KeyRing, metrics: RequestMetrics, most_open: int) -> None:
        self._app, self._keys, self._metrics = app, keys, metrics
        self._most_open, self._open = most_open, 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        trace_id, started, status = _trace_id(headers.get(b"traceparent")), time.perf_counter(), 0

        async def send_traced(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), (TRACE_HEADER, trace_id.encode())]
            await send(message)

        with structlog.contextvars.bound_contextvars(trace_id=trace_id):
            self._open += 1
            try:
                await self._admit(scope, headers)
                await self._app(scope, receive, send_traced)
            except Exception as error:  # noqa: BLE001  the last place to turn any failure into an answer
                problem = problem_for(error)
                if status == 0:
                    await problem.response()(scope, receive, send_traced)
            finally:
                self._open -= 1
                self._tell(scope, status, time.perf_counter() - started)

    async def _admit(self, scope: Scope, headers: dict[bytes, bytes]) -> None:
        path = scope["path"]
        if self._open > self._most_open and path not in PUBLIC:
            raise unavailable("E_BUSY", "Too many requests are open.")
        if is_public(path):
            return
        authorization = headers.get(b"authorization")
        principal = await self._keys.principal(
            None if authorization is None else authorization.decode("latin-1")
        )
        scope.setdefault("state", {})["principal"] = principal

    def _tell(self, scope: Scope, status: int, seconds: float) -> None:
        route, method = getattr(scope.get("route"), "path", "unmatched"), scope["method"]
        self._metrics.requests.labels(route, method, status).inc()
        self._metrics.seconds.labels(route, method).observe(seconds)
        principal = scope.get("state", {}).get("principal")
        log.log(
            _level(route, status),
            "request",
            route=route,
            method=method,
            status=status,
            milliseconds=round(seconds * 1000, 2),
            key_id=principal.key_id if principal else None,
        )


def _level(route: str, status: int) -> int:
    if status >= _SERVER_ERROR:
        return 40
    return 10 if route in {"/livez", "/readyz", "/metrics"} else 20


def _trace_id(traceparent: bytes | None) -> str:
    found = _TRACEPARENT.fullmatch(traceparent) if traceparent else None
    return found[1].decode() if found else secrets.token_hex(16)
