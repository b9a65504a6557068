"""The broker process: intake, verdict relay, upkeep, watchdog and API in one event loop, started and
stopped.
"""

from __future__ import annotations

import asyncio
import gc
import os
import secrets
import socket
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import asyncpg
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, wait_fixed

from schemas.catalogue.load import load_catalogue
from services.broker import metrics
from services.broker.deadletters import LetterSeal
from services.broker.docket_store import VERDICT_CHANNEL
from services.broker.hot_connection import HotConnection
from services.broker.intake import Intake
from services.broker.kafka_client import when_kafka_answers
from services.broker.kafka_source import KafkaSource
from services.broker.periods import day_of
from services.broker.policy import Policy
from services.broker.record_uids import RecordUids
from services.broker.register import Clocks, Register
from services.broker.status import BrokerStatus
from services.broker.topics import ensure_topics
from services.broker.upkeep import Upkeep
from services.broker.verdict_producer import VerdictProducer
from services.broker.verdict_relay import VerdictRelay
from services.broker.watchdog import Watchdog, beat
from services.runtime.feed_listener import listen
from services.runtime.logs import logger
from services.runtime.postgres import DatabaseLimits, connect_pool
from services.runtime.sealing import SealingKeys

if TYPE_CHECKING:
    from collections.abc import Callable

    from schemas.catalogue.catalogue import Catalogue
    from services.broker.settings import BrokerSettings

log = logger(__name__)
APPLICATION = "liancheng-broker"
_GC_THRESHOLDS = (50_000, 20, 100)
"""A batch makes tens of thousands of objects that die together: collecting amid it finds nothing."""


def process_name() -> str:
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(3)}"


def system_clocks() -> Clocks:
    """Both clocks from the machine's."""

    def now() -> datetime:
        return datetime.now(UTC)

    return Clocks(now, lambda: day_of(now()))


class Broker:
    """One broker process. `status` may be read at any time."""

    def __init__(self, settings: BrokerSettings, clocks: Clocks | None = None) -> None:
        self.settings = settings
        self.clocks = clocks or system_clocks()
        self.status = BrokerStatus()
        self.name = process_name()

    async def run(self, stop: asyncio.Event, listening: Callable[[str, int], None] | None = None) -> None:
        """Until `stop`, or until a part of it fails for good; then the others are stopped too."""
        settings = self.settings
        catalogue = load_catalogue()
        pool = await connect_pool(
            settings.broker_database_url.get_secret_value(),
            APPLICATION,
            max_size=settings.database_pool_size,
            limits=self._limits(),
        )
        try:
            await self._find_tables(pool)
            await when_kafka_answers(lambda: ensure_topics(settings), settings.kafka_patience_seconds)
            gc.collect()
            gc.freeze()
            gc.set_threshold(*_GC_THRESHOLDS)
            await self._run_parts(pool, catalogue, stop, listening)
        finally:
            await pool.close()
        log.info("broker_stopped")

    async def _run_parts(
        self,
        pool: asyncpg.Pool,
        catalogue: Catalogue,
        stop: asyncio.Event,
        listening: Callable[[str, int], None] | None,
    ) -> None:
        settings, status = self.settings, self.status
        hot = self._hot_connection()
        register = make_register(settings, catalogue, hot, self.clocks, status)
        intake = Intake(KafkaSource(settings), pool, register, settings, status)
        relay = VerdictRelay(pool, VerdictProducer(settings), self.name, settings, status)
        watchdog = Watchdog(status, settings.stall_seconds)
        watchdog.start()
        log.info("broker_started", name=self.name, settings=settings.shown())
        parts = {
            asyncio.create_task(intake.run(stop), name="intake"),
            asyncio.create_task(relay.run(stop), name="relay"),
            asyncio.create_task(Upkeep(pool, settings, status, self.clocks.now).run(stop), name="upkeep"),
            asyncio.create_task(beat(status, stop), name="beat"),
            asyncio.create_task(self._serve_api(catalogue, stop, listening), name="api"),
        }
        hints = asyncio.create_task(
            listen(settings.broker_database_url.get_secret_value(), VERDICT_CHANNEL, relay.wake), name="hints"
        )
        try:
            await asyncio.wait(
                {*parts, asyncio.create_task(stop.wait())}, return_when=asyncio.FIRST_COMPLETED
            )
            status.stopping = True
            stop.set()
            await asyncio.gather(*parts)
        finally:
            watchdog.stop()
            hints.cancel()
            await asyncio.gather(hints, *parts, return_exceptions=True)
            await hot.close()

    async def _serve_api(
        self, catalogue: Catalogue, stop: asyncio.Event, listening: Callable[[str, int], None] | None
    ) -> None:
        from services.broker.api.app import create_app  # noqa: PLC0415 - FastAPI is slow to load
        from services.broker.api.serve import serve  # noqa: PLC0415

        settings = self.settings
        pool = await connect_pool(
            settings.api_database_url.get_secret_value(),
            "liancheng-api",
            max_size=settings.api_database_connections,
            limits=self._limits(),
        )
        try:
            app = create_app(
                pool=pool,
                options=settings,
                catalogue=catalogue,
                today=self.clocks.today,
                registry=metrics.new_registry(),
                settings=settings,
                status=self.status,
                stall_seconds=settings.stall_seconds,
            )
            await serve(app, settings.api_host, settings.api_port, stop, listening=listening)
        finally:
            await pool.close()

    async def _find_tables(self, pool: asyncpg.Pool) -> None:
        """Wait for the migration, which may run beside us."""
        async for attempt in AsyncRetrying(
            retry=retry_if_exception_type(asyncpg.exceptions.UndefinedTableError),
            wait=wait_fixed(1),
            stop=stop_after_delay(DatabaseLimits().connect_patience_s),
            before_sleep=lambda _: log.warning("database_not_migrated", remedy="run: liancheng migrate"),
            reraise=True,
        ):
            with attempt:
                await pool.fetchval("select feed from sequence_head")

    def _limits(self) -> DatabaseLimits:
        return DatabaseLimits(statement_timeout_ms=self.settings.statement_timeout_ms)

    def _hot_connection(self) -> HotConnection:
        limits = self._limits()
        return HotConnection(
            self.settings.broker_database_url.get_secret_value(),
            f"{APPLICATION}-register",
            {
                "statement_timeout": str(limits.statement_timeout_ms),
                "lock_timeout": str(limits.lock_timeout_ms),
                "idle_in_transaction_session_timeout": str(limits.idle_in_transaction_ms),
            },
            limits.command_timeout_s,
        )


def make_register(
    settings: BrokerSettings,
    catalogue: Catalogue,
    connection: HotConnection,
    clocks: Clocks,
    status: BrokerStatus,
) -> Register:
    seal = LetterSeal(SealingKeys(settings.data_key.get_secret_value()), settings.deadletter_retention_days)
    uids = RecordUids(os.urandom, lambda: time.time_ns() // 1_000_000)
    return Register(connection, Policy(catalogue), seal, clocks, uids.mint, status)
