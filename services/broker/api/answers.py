"""Answers: JSON that is put together from bytes where the bytes are there already, and pages of lists."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import orjson
from fastapi import Response

from services.broker.api.errors import bad_parameter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fastapi import Request

    from services.broker.api.options import ApiSettings

JSON = "application/json"


def json_answer(content: bytes | dict[str, Any], status: int = HTTPStatus.OK, **headers: str) -> Response:
    """`content` as it is if it is bytes; keyword `Some_Name` becomes the header `Some-Name`."""
    body = content if isinstance(content, bytes) else orjson.dumps(content)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(body, int(status), named, JSON)


def with_items(items: Sequence[bytes], tail: dict[str, Any]) -> bytes:
    """The JSON object of `items`, values that are JSON already, and `tail`, which is not empty."""
    return b'{"items":[' + b",".join(items) + b"]," + orjson.dumps(tail)[1:]


def spliced(head: dict[str, Any], name: str, value: bytes) -> bytes:
    """The JSON object `head`, which is not empty, with one more member whose value is JSON already."""
    return orjson.dumps(head)[:-1] + b"," + orjson.dumps(name) + b":" + value + b"}"


def next_link(request: Request, cursor: str) -> str:
    """RFC 8288: the same request with another cursor, as a reference relative to this host."""
    kept = [(name, value) for name, value in request.query_params.multi_items() if name != "cursor"]
    return f'<{request.url.path}?{urlencode([*kept, ("cursor", cursor)])}>; rel="next"'


def list_answer(
    request: Request, items: Sequence[bytes] | Sequence[dict[str, Any]], cursor: str | None, **head: Any
) -> Response:
    """`{items[], next, …head}`: `next` is the cursor of the next page, null at the end."""
    encoded = [item if isinstance(item, bytes) else orjson.dumps(item) for item in items]
    body = with_items(encoded, {"next": cursor, **head})
    return json_answer(body) if cursor is None else json_answer(body, Link=next_link(request, cursor))


def page_limit(limit: int | None, options: ApiSettings) -> int:
    """The page's size: the default, or `limit` if it is not above the highest (422 else)."""
    if limit is None:
        return min(options.api_page_default, options.api_page_max)
    if limit > options.api_page_max:
        raise bad_parameter(
            "limit", "less_than_equal", f"at most {options.api_page_max}", options.api_page_max
        )
    return limit
