"""Errors as problem documents (RFC 9457): always `type, title, status, detail, code`, often `errors[]`.

`code` is for machines and never renamed; `detail` is for people. Codes of the contract (`E_USCC_…`) are used
where they fit. Nothing of an unexpected error leaves but its code and the trace id under which it is logged.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import asyncpg
import orjson
import structlog
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from services.runtime.logs import logger
from services.runtime.postgres import is_connection_loss

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fastapi import FastAPI, Request

log = logger(__name__)
MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = "1"

_CODES_BY_STATUS = {
    HTTPStatus.NOT_FOUND: "E_NOT_FOUND",
    HTTPStatus.METHOD_NOT_ALLOWED: "E_METHOD",
}


class ProblemError(Exception):
    """A request that is answered with a problem document instead."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        errors: Sequence[Mapping[str, Any]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail = int(status), code, detail
        self.errors, self.headers = errors, headers

    def response(self) -> Response:
        body: dict[str, Any] = {
            "type": f"urn:liancheng:problem:{self.code}",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
        }
        if self.errors:
            body["errors"] = list(self.errors)
        if trace_id := structlog.contextvars.get_contextvars().get("trace_id"):
            body["trace_id"] = trace_id
        return Response(orjson.dumps(body), self.status, self.headers, MEDIA_TYPE)


def bad_parameter(field: str, code: str, detail: str, expected: object = None) -> ProblemError:
    """422 about one parameter; `expected` is the limit or the form that it misses."""
    error = {"field": field, "code": code, "detail": detail, "expected": expected}
    return ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, "E_PARAMETER", f"{field}: {detail}", errors=[error])


def unavailable(code: str, detail: str) -> ProblemError:
    """503, to be tried again."""
    headers = {"Retry-After": RETRY_AFTER_SECONDS}
    return ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, code, detail, headers=headers)


def problem_for(error: Exception) -> ProblemError:
    """The problem that tells of `error`; an error that nobody expected is logged and becomes a bare 500."""
    if isinstance(error, ProblemError):
        return error
    if isinstance(error, (asyncpg.QueryCanceledError, asyncpg.LockNotAvailableError)):
        return unavailable("E_QUERY_TIMEOUT", "The database took longer than a request may.")
    if is_connection_loss(error):
        log.warning("database_unavailable", error=type(error).__name__)
        return unavailable("E_DATABASE", "The database does not answer or has no connection free.")
    log.error("request_failed", error=type(error).__name__, exc_info=error)
    return ProblemError(HTTPStatus.INTERNAL_SERVER_ERROR, "E_INTERNAL", "The request failed on our side.")


async def _on_problem(_request: Request, error: Exception) -> Response:
    return problem_for(error).response()


async def _on_http(_request: Request, error: Exception) -> Response:
    """404 and 405 of the router."""
    assert isinstance(error, HTTPException)  # noqa: S101  registered for nothing else
    status = HTTPStatus(error.status_code)
    code = _CODES_BY_STATUS.get(status, f"E_HTTP_{status.value}")
    return ProblemError(status, code, status.description or status.phrase, headers=error.headers).response()


async def _on_validation(_request: Request, error: Exception) -> Response:
    """Parameters of a wrong form. What stood there is not repeated: it may be personal."""
    assert isinstance(error, RequestValidationError)  # noqa: S101  registered for nothing else
    found = [
        {
            "field": ".".join(str(part) for part in one["loc"][1:]) or str(one["loc"][0]),
            "code": one["type"],
            "detail": one["msg"],
        }
        for one in error.errors()
    ]
    detail = "; ".join(f"{one['field']}: {one['detail']}" for one in found)
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    return ProblemError(status, "E_PARAMETER", detail, errors=found).response()


def install(app: FastAPI) -> None:
    app.add_exception_handler(ProblemError, _on_problem)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(RequestValidationError, _on_validation)
