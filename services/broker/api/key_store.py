"""Making, rotating and revoking API keys, as liancheng_migrator: the API itself cannot write keys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.broker.api.scopes import SEE_ALL, Scope
from services.broker.api.tokens import Token, digest, new_token

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    import asyncpg

_CREATE = """
insert into api_key (key_id, name, secret_sha256, scopes, areas, regions, expires_at)
values ($1, $2, $3, $4, $5, $6, $7)
"""
_ROTATE = """
update api_key set secret_sha256 = $2, previous_sha256 = secret_sha256,
    previous_until = clock_timestamp() + $3
where key_id = $1 and revoked_at is null and (expires_at is null or expires_at > clock_timestamp())
"""
_REVOKE = "update api_key set revoked_at = clock_timestamp() where key_id = $1 and revoked_at is null"
_LIST = """
select key_id, name, scopes, areas, regions, created_at, expires_at, revoked_at, previous_until,
    case when revoked_at is not null then 'revoked' when expires_at <= now() then 'expired'
        when previous_until > now() then 'rotating' else 'active' end as state
from api_key order by created_at, key_id
"""
_BOUND_TO_A_GRANT = (Scope.CHECK, Scope.FEED, Scope.RECORDS)


@dataclass(frozen=True, slots=True)
class NewKey:
    """What a key is for: `areas`, and `regions` by GB/T 2260 code; a city covers its districts.

    Raises ValueError for a key that could see nothing, and for a grant on a key that sees everything anyway.
    """

    name: str
    scopes: tuple[Scope, ...]
    areas: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    expires_at: datetime | None = None

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise ValueError("a key needs a name: whose it is")
        if not self.scopes:
            raise ValueError("a key needs a scope")
        if not SEE_ALL.isdisjoint(self.scopes):
            if self.areas or self.regions:
                raise ValueError("a key with audit:read or admin sees all areas and regions: grant it none")
        elif not set(_BOUND_TO_A_GRANT).isdisjoint(self.scopes) and not (self.areas and self.regions):
            raise ValueError("a key that checks, polls or reads records needs areas and regions")


async def create_key(connection: asyncpg.Connection, key: NewKey) -> Token:
    """Make the key. The token is known to nobody after this."""
    token = new_token()
    await connection.execute(
        _CREATE,
        token.key_id,
        key.name,
        digest(token.secret),
        list(key.scopes),
        list(key.areas),
        list(key.regions),
        key.expires_at,
    )
    return token


async def rotate_key(connection: asyncpg.Connection, key_id: str, overlap: timedelta) -> Token | None:
    """A new secret; the one before opens for `overlap` longer, and one before that no more.

    None if there is no such key in use.
    """
    token = new_token(key_id)
    done = await connection.execute(_ROTATE, key_id, digest(token.secret), overlap)
    return token if done == "UPDATE 1" else None


async def revoke_key(connection: asyncpg.Connection, key_id: str) -> bool:
    """Whether it was in use. What it was granted stays on record."""
    return bool(await connection.execute(_REVOKE, key_id) == "UPDATE 1")


async def list_keys(connection: asyncpg.Connection) -> list[asyncpg.Record]:
    """All keys that ever were, the oldest first; no secrets."""
    rows: list[asyncpg.Record] = await connection.fetch(_LIST)
    return rows
