"""Who asks: `Authorization: Bearer lck_…`, looked up, compared in constant time, kept for some seconds."""

from __future__ import annotations

import hmac
import time
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple

from fastapi import Request  # noqa: TC002  FastAPI reads it at run time

from services.broker.api.errors import ProblemError
from services.broker.api.scopes import SEE_ALL, Scope
from services.broker.api.tokens import digest, read_token

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import asyncpg

_SCHEME = "bearer "
# Compared with when there is no such key, so that an answer takes as long as for a wrong secret.
_NOTHING = bytes(32)
_KEY = """
select secret_sha256, previous_sha256, previous_until, expires_at, scopes, areas, regions
from api_key where key_id = $1 and revoked_at is null
"""


@dataclass(frozen=True, slots=True)
class Principal:
    """The holder of a key: `areas` and `regions` are the grant of one that does not see all."""

    key_id: str
    scopes: frozenset[str]
    areas: frozenset[str]
    regions: frozenset[str]

    @property
    def reader(self) -> str:
        """As which the ledger knows it."""
        return f"key:{self.key_id}"

    @property
    def sees_all(self) -> bool:
        return not self.scopes.isdisjoint(SEE_ALL)

    def may(self, scope: Scope) -> bool:
        return scope in self.scopes or Scope.ADMIN in self.scopes

    def sees_area(self, area: str) -> bool:
        return self.sees_all or area in self.areas


class _Key(NamedTuple):
    secrets: tuple[bytes, bytes]
    previous_until: datetime | None
    ends_at: datetime | None
    principal: Principal

    def opens(self, secret_sha256: bytes, now: datetime) -> bool:
        current = hmac.compare_digest(secret_sha256, self.secrets[0])
        previous = hmac.compare_digest(secret_sha256, self.secrets[1])
        overlap = self.previous_until is not None and now < self.previous_until
        return current or (previous and overlap)


class KeyRing:
    """Keys by id, read from the database at most once in `trust_seconds`.

    A key that was rotated, revoked or narrowed is known as such after `trust_seconds` at the latest.
    """

    def __init__(
        self,
        pool: asyncpg.Pool,
        *,
        trust_seconds: float,
        size: int,
        acquire_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pool, self._acquire_seconds = pool, acquire_seconds
        self._trust_seconds, self._size, self._clock = trust_seconds, size, clock
        self._known: OrderedDict[str, tuple[float, _Key | None]] = OrderedDict()

    async def principal(self, authorization: str | None) -> Principal:
        """Whose key it is.

        Raises:
            ProblemError: 401 `E_KEY_MISSING`, `E_KEY` (malformed, unknown, wrong secret, revoked) or
                `E_KEY_EXPIRED`.

        """
        if authorization is None or not authorization.lower().startswith(_SCHEME):
            raise _refused("E_KEY_MISSING", "An API key is needed: Authorization: Bearer lck_…", "")
        token = read_token(authorization[len(_SCHEME) :].strip())
        if token is None:
            raise _refused("E_KEY", "The API key is not valid.", ' error="invalid_token"')
        key, now, presented = await self._key(token.key_id), datetime.now(UTC), digest(token.secret)
        if key is None:
            hmac.compare_digest(presented, _NOTHING)
            raise _refused("E_KEY", "The API key is not valid.", ' error="invalid_token"')
        if not key.opens(presented, now):
            raise _refused("E_KEY", "The API key is not valid.", ' error="invalid_token"')
        if key.ends_at is not None and now >= key.ends_at:
            raise _refused("E_KEY_EXPIRED", "The API key has expired.", ' error="invalid_token"')
        return key.principal

    async def _key(self, key_id: str) -> _Key | None:
        now = self._clock()
        if (known := self._known.get(key_id)) is not None and now - known[0] < self._trust_seconds:
            return known[1]
        key = await self._read(key_id)
        self._known[key_id] = now, key
        self._known.move_to_end(key_id)
        while len(self._known) > self._size:
            self._known.popitem(last=False)
        return key

    async def _read(self, key_id: str) -> _Key | None:
        async with self._pool.acquire(timeout=self._acquire_seconds) as connection:
            row = await connection.fetchrow(_KEY, key_id)
        if row is None:
            return None
        return _Key(
            (row["secret_sha256"], row["previous_sha256"] or _NOTHING),
            row["previous_until"],
            row["expires_at"],
            Principal(key_id, frozenset(row["scopes"]), frozenset(row["areas"]), frozenset(row["regions"])),
        )


def scoped(scope: Scope) -> Callable[[Request], Awaitable[Principal]]:
    """A dependency: the asker, if it has `scope` (403 `E_SCOPE` else). The gate has authenticated it."""

    async def asker(request: Request) -> Principal:
        principal: Principal = request.state.principal
        if not principal.may(scope):
            raise ProblemError(
                HTTPStatus.FORBIDDEN,
                "E_SCOPE",
                f"The API key lacks the scope {scope}.",
                headers={"WWW-Authenticate": f'Bearer error="insufficient_scope", scope="{scope}"'},
            )
        return principal

    return asker


def _refused(code: str, detail: str, parameters: str) -> ProblemError:
    headers = {"WWW-Authenticate": f"Bearer{parameters}"}
    return ProblemError(HTTPStatus.UNAUTHORIZED, code, detail, headers=headers)
