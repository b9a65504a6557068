"""A small HTTP client for what a stack says of itself: JSON over a fresh connection to 127.0.0.1."""

from __future__ import annotations

import http.client
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import urlencode, urlsplit

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

TIMEOUT_S: Final = 10.0
_OK: Final = 200


class Reply(NamedTuple):
    """`body` is None where the answer is not JSON."""

    status: int
    body: Any


class ReplyError(RuntimeError):
    """An answer other than 200; the message has the path, the status and the body."""


class Client:
    """Asks one base address, with a bearer token if there is one. Proxies of the environment are not used."""

    def __init__(self, base_url: str, token: str | None = None, timeout_s: float = TIMEOUT_S) -> None:
        self.base_url = base_url
        self._address = urlsplit(base_url).netloc
        self._headers = {} if token is None else {"authorization": f"Bearer {token}"}
        self._timeout_s = timeout_s

    def request(
        self, method: str, path: str, query: Mapping[str, object] | None = None, body: object = None
    ) -> Reply:
        """One request; OSError or http.client.HTTPException if there is no answer."""
        given = {name: value for name, value in (query or {}).items() if value is not None}
        target = f"{path}?{urlencode(given)}" if given else path
        connection = http.client.HTTPConnection(self._address, timeout=self._timeout_s)
        try:
            connection.request(method, target, None if body is None else orjson.dumps(body), self._headers)
            response = connection.getresponse()
            text = response.read()
        finally:
            connection.close()
        try:
            return Reply(response.status, orjson.loads(text))
        except orjson.JSONDecodeError:
            return Reply(response.status, None)

    def get(self, path: str, **query: object) -> Any:
        """The body of a 200. ReplyError for any other answer."""
        reply = self.request("GET", path, query)
        if reply.status != _OK:
            raise ReplyError(f"GET {self.base_url}{path}: {reply.status}: {reply.body}")
        return reply.body

    def items(self, path: str, cursor: str = "cursor", **query: object) -> Iterator[dict[str, Any]]:
        """All items of a list, page by page; `cursor` names the parameter that `next` goes into."""
        following: object = None
        while True:
            page = self.get(path, **{**query, cursor: following})
            yield from page["items"]
            following = page["next"]
            if following is None:
                return
