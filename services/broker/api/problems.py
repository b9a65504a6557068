"""The problem documents that routes may answer with, for OpenAPI."""

from __future__ import annotations

from typing import Any

from services.broker.api.errors import MEDIA_TYPE
from services.broker.api.models import Problem

_CAUSES = {
    401: "No valid API key",
    403: "The key lacks the scope or the grant",
    404: "There is no such thing, or the key may not see it",
    410: "The feed ends before the cursor",
    422: "A parameter is not valid",
    500: "The request failed on our side",
    503: "Not now: see Retry-After",
}


def _responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    content = {MEDIA_TYPE: {"schema": {"$ref": f"#/components/schemas/{Problem.__name__}"}}}
    return {status: {"description": _CAUSES[status], "content": content} for status in statuses}


PROBLEMS = _responses(401, 403, 404, 410, 422, 500, 503)
PUBLIC_PROBLEMS = _responses(404, 422, 500, 503)
