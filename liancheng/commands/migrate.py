"""`liancheng migrate`: roles, then the schema, then say what was done."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import asyncpg
from pydantic import Field, SecretStr
from tenacity import AsyncRetrying, retry_if_exception, stop_after_delay, wait_fixed

from schemas.database import migrate, roles
from services.runtime import logs
from services.runtime.postgres import is_connection_loss
from services.runtime.settings import ServiceSettings, read_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

SUMMARY = "Bring the database to a revision. Any number may run at once: they take turns."
log = logs.logger(__name__)


class MigrateSettings(ServiceSettings):
    migrator_database_url: SecretStr = Field(description="postgresql:// URL of the role liancheng_migrator")
    superuser_database_url: SecretStr | None = Field(
        None,
        description="URL of a superuser to the same database: if given, the four roles are made or brought up"
        " to date first, with the passwords of the URLs below",
    )
    broker_database_url: SecretStr | None = Field(None, description="URL of liancheng_broker (its password)")
    publisher_database_url: SecretStr | None = Field(
        None, description="URL of liancheng_publisher (its password)"
    )
    api_database_url: SecretStr | None = Field(None, description="URL of liancheng_api (its password)")
    revision: str = Field("head", description="revision to go to; `base` empties the database")
    lock_timeout_ms: int = Field(4_000, gt=0, description="ms to wait for a table lock before giving way")
    migration_timeout_ms: int = Field(60_000, gt=0, description="ms for one statement of a migration")
    database_patience_seconds: float = Field(60, gt=0, description="s to wait for a database that starts")
    log_level: str = Field("INFO", description="DEBUG, INFO, WARNING or ERROR")
    log_format: logs.LogFormat = Field("json", description="json or console")


def _password(url: SecretStr | None, role: str) -> str:
    parts = urlsplit(url.get_secret_value()) if url else None
    if parts is None or parts.password is None:
        raise SystemExit(
            f"liancheng migrate: to make the roles, the URL of {role} must be given, with password"
        )
    return unquote(parts.password)


async def _ensure_roles(settings: MigrateSettings) -> None:
    if settings.superuser_database_url is None:
        return
    passwords = {
        roles.MIGRATOR: _password(settings.migrator_database_url, roles.MIGRATOR),
        roles.BROKER: _password(settings.broker_database_url, roles.BROKER),
        roles.PUBLISHER: _password(settings.publisher_database_url, roles.PUBLISHER),
        roles.API: _password(settings.api_database_url, roles.API),
    }
    connection = await asyncpg.connect(settings.superuser_database_url.get_secret_value())
    try:
        database = await connection.fetchval("select current_database()")
        await roles.ensure_roles(connection, passwords, database)
        log.info("roles_ready", database=database, roles=list(roles.ROLES))
    finally:
        await connection.close()


async def _migrate(settings: MigrateSettings) -> None:
    async for attempt in AsyncRetrying(
        retry=retry_if_exception(is_connection_loss),
        wait=wait_fixed(0.5),
        stop=stop_after_delay(settings.database_patience_seconds),
        before_sleep=lambda state: log.warning("database_waited_for", attempt=state.attempt_number),
        reraise=True,
    ):
        with attempt:
            await _ensure_roles(settings)
            timeouts = migrate.MigrationTimeouts(settings.lock_timeout_ms, settings.migration_timeout_ms)
            dsn = settings.migrator_database_url.get_secret_value()
            if settings.revision == "base":
                await migrate.downgrade(dsn, "base", timeouts)
                log.info("migrated", revision=None)
                return
            before, after = await migrate.upgrade(dsn, settings.revision, timeouts)
            log.info("migrated", before=before, revision=after, changed=before != after)


def run(argv: Sequence[str]) -> int:
    settings = read_settings(MigrateSettings, "liancheng migrate", SUMMARY, argv)
    logs.configure("migrate", settings.log_level, settings.log_format)
    asyncio.run(_migrate(settings))
    return 0
