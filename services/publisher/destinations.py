"""Destinations as this process knows them: read from the database, secrets opened, subscriptions matched."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson

from services.publisher.feed_row import Subscription
from services.publisher.wire.signing import SigningKey
from services.publisher.wire.target import Target

if TYPE_CHECKING:
    import asyncpg

    from services.publisher.feed_row import Audience
    from services.runtime.sealing import SealingKeys

ACTIVE = "ACTIVE"
STOPPED = "STOPPED"

_ALL = """
select code, channel, areas, regions, url, secrets, shards, connections, max_unsettled, updated_at
from destination where state = 'ACTIVE' order by code
"""
_STOP = """
update destination set state = 'STOPPED', state_reason = $2, updated_at = clock_timestamp()
where code = $1 and state = 'ACTIVE'
"""


@dataclass(slots=True, frozen=True, eq=False)
class Destination:
    """One active destination. `connections`, `max_unsettled`: None where the process's own holds."""

    code: str
    target: Target
    keys: tuple[SigningKey, ...]
    subscription: Subscription
    shards: int
    connections: int | None
    max_unsettled: int | None
    revision: object
    _matches: dict[Audience, bool]

    def matches(self, audience: Audience) -> bool:
        known = self._matches.get(audience)
        if known is None:
            known = self._matches[audience] = self.subscription.matches(audience)
        return known


def sealing_context(code: str) -> bytes:
    """What a destination's sealed secrets are bound to."""
    return b"destination:" + code.encode()


def _open(row: asyncpg.Record, sealing: SealingKeys) -> Destination:
    secrets: list[str] = orjson.loads(sealing.open(row["secrets"], sealing_context(row["code"])))
    return Destination(
        code=row["code"],
        target=Target.parse(row["url"]),
        keys=tuple(SigningKey.parse(secret) for secret in secrets),
        subscription=Subscription(row["channel"], frozenset(row["areas"]), frozenset(row["regions"])),
        shards=row["shards"],
        connections=row["connections"],
        max_unsettled=row["max_unsettled"],
        revision=row["updated_at"],
        _matches={},
    )


async def load_active(
    pool: asyncpg.Pool, sealing: SealingKeys, known: dict[str, Destination]
) -> tuple[dict[str, Destination], dict[str, str]]:
    """All active destinations by code, and by code what is wrong with those that cannot be used.

    An unchanged one is the object that is `known`.
    """
    found: dict[str, Destination] = {}
    broken: dict[str, str] = {}
    for row in await pool.fetch(_ALL):
        code = row["code"]
        if code in known and known[code].revision == row["updated_at"]:
            found[code] = known[code]
            continue
        try:
            found[code] = _open(row, sealing)
        except ValueError as error:
            broken[code] = str(error)
    return found, broken


async def stop(pool: asyncpg.Pool, code: str, reason: str) -> None:
    """Stop a destination, visibly, until a person starts it again. Its cursors stay."""
    await pool.execute(_STOP, code, reason)
