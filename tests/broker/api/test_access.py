"""Who gets in: keys, scopes, rotation; and that every route asks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from services.broker.api.app import routes
from services.broker.api.gate import is_public
from services.broker.api.key_store import revoke_key, rotate_key
from services.broker.api.keys import KeyRing
from services.broker.api.openapi import openapi_document
from services.broker.api.tokens import new_token

if TYPE_CHECKING:
    import asyncpg

    from tests.broker.api.conftest import World

PUBLIC = {"/livez", "/readyz", "/v1/catalogue", "/v1/catalogue/{part}"}
SCOPES = {
    "/v1/check": "check:read",
    "/v1/feeds/{area}/changes": "feed:read",
    "/v1/records": "records:read",
    "/v1/records/{record_uid}": "records:read",
    "/v1/subjects/{uscc}": "records:read",
    "/v1/audit/deliveries": "audit:read",
    "/v1/inbox": "audit:read",
    "/v1/destinations": "audit:read",
    "/v1/settings": "admin",
    "/metrics": "metrics:read",
}
PATHS = list(openapi_document(routes())["paths"])
QUERIES: dict[str, dict[str, Any]] = {
    "/v1/check": {"uscc": "91150303M0000B027F", "area": "SA08"},
    "/v1/records": {"case_id": "WH-2021-0007"},
}


def concrete(path: str) -> str:
    return path.format(area="SA08", record_uid="R1", uscc="91150303M0000B027F", part="areas")


def test_every_route_is_either_public_or_has_its_scope_in_this_test() -> None:
    assert set(PATHS) == PUBLIC | SCOPES.keys()
    assert {path for path in PATHS if is_public(concrete(path))} == PUBLIC


@pytest.mark.asyncio
async def test_without_a_key_only_health_and_catalogue_answer(world: World) -> None:
    for path in PUBLIC:
        assert (await world.client.get(concrete(path))).status == 200, path
    for path in [*SCOPES, "/openapi.json", "/docs", "/nowhere", "/v1/catalogue/../inbox", "/livez/"]:
        answer = await world.client.get(concrete(path), **QUERIES.get(path, {}))
        if not path.startswith("/v1/catalogue"):  # below the public prefix nothing but the catalogue exists
            assert (answer.status, answer.code) == (401, "E_KEY_MISSING"), path
            assert answer.headers["www-authenticate"] == "Bearer"
        else:
            assert answer.status == 404, path


@pytest.mark.asyncio
async def test_each_route_asks_for_its_own_scope(world: World) -> None:
    scopes = sorted({*SCOPES.values()} - {"admin"})
    grant: dict[str, Any] = {"areas": ("SA08",), "regions": ("150300",)}
    clients = {scope: await world.asker(scope, **grant) for scope in scopes}
    admin = await world.asker("admin")
    for path, needed in SCOPES.items():
        for scope, client in clients.items():
            answer = await client.get(concrete(path), **QUERIES.get(path, {}))
            if scope == needed:
                assert answer.status in {200, 404}, (path, answer)
            else:
                assert (answer.status, answer.code) == (403, "E_SCOPE"), (path, scope)
        assert (await admin.get(concrete(path), **QUERIES.get(path, {}))).status in {200, 404}, path


@pytest.mark.asyncio
async def test_the_openapi_document_is_for_any_key(world: World) -> None:
    answer = await (await world.asker("metrics:read")).get("/openapi.json")
    assert answer.json["paths"].keys() == PUBLIC | SCOPES.keys()


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "authorization",
    ["", "Basic abc", "Bearer", "Bearer lck_", "Bearer lck_zz_zz", "Bearer {key_id}", "lck_{token}"],
)
async def test_what_is_no_key_is_refused(world: World, authorization: str) -> None:
    token = await world.register.key("metrics:read")
    header = authorization.format(key_id=token.key_id, token=token.text())
    answer = await world.client.get("/metrics", headers={"authorization": header})
    assert answer.status == 401
    assert answer.code in {"E_KEY", "E_KEY_MISSING"}


@pytest.mark.asyncio
async def test_wrong_secrets_unknown_revoked_and_expired_keys_are_refused(world: World) -> None:
    token = await world.register.key("metrics:read")
    assert (await world.client.with_key(token.text()).get("/metrics")).status == 200

    for wrong in (new_token(token.key_id), new_token()):
        answer = await world.client.with_key(wrong.text()).get("/metrics")
        assert (answer.status, answer.code) == (401, "E_KEY")
    assert await revoke_key(world.register.connection, token.key_id)
    assert (await world.client.with_key(token.text()).get("/metrics")).code == "E_KEY"
    assert not await revoke_key(world.register.connection, token.key_id)

    past = datetime.now(UTC) - timedelta(seconds=1)
    expired = await world.register.key("metrics:read", expires_at=past)
    assert (await world.client.with_key(expired.text()).get("/metrics")).code == "E_KEY_EXPIRED"


@pytest.mark.asyncio
async def test_rotation_lets_the_old_secret_go_on_until_the_overlap_ends(world: World) -> None:
    connection = world.register.connection
    first = await world.register.key("metrics:read")
    second = await rotate_key(connection, first.key_id, timedelta(hours=1))
    assert second is not None
    assert second.key_id == first.key_id
    for token in (first, second):
        assert (await world.client.with_key(token.text()).get("/metrics")).status == 200

    third = await rotate_key(connection, first.key_id, timedelta(hours=1))
    assert third is not None
    statuses = [
        (await world.client.with_key(token.text()).get("/metrics")).status for token in (first, second, third)
    ]
    assert statuses == [401, 200, 200], "a secret before the previous one opens nothing"

    await connection.execute("update api_key set previous_until = now() - interval '1 s'")
    assert (await world.client.with_key(second.text()).get("/metrics")).status == 401
    assert (await world.client.with_key(third.text()).get("/metrics")).status == 200
    await revoke_key(connection, first.key_id)
    assert await rotate_key(connection, first.key_id, timedelta(hours=1)) is None


class CountingPool:
    """Counts how often the key table is asked."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool, self.asked = pool, 0

    def acquire(self, *, timeout: float) -> object:
        self.asked += 1
        return self._pool.acquire(timeout=timeout)


@pytest.mark.asyncio
async def test_a_key_is_read_once_in_the_time_it_is_trusted_and_the_cache_is_bounded(world: World) -> None:
    pool, now = CountingPool(world.app.state.api.pool), 0.0
    ring = KeyRing(pool, trust_seconds=5, size=2, acquire_seconds=1, clock=lambda: now)
    token = await world.register.key("metrics:read")
    header = f"Bearer {token.text()}"
    for _ in range(3):
        assert (await ring.principal(header)).key_id == token.key_id
    assert pool.asked == 1

    await revoke_key(world.register.connection, token.key_id)
    assert (await ring.principal(header)).key_id == token.key_id, "trusted for five seconds"
    now = 5.0
    with pytest.raises(Exception, match="not valid"):
        await ring.principal(header)
    for _ in range(5):
        with pytest.raises(Exception, match="not valid"):
            await ring.principal(f"Bearer {new_token().text()}")
    assert len(ring._known) == 2
