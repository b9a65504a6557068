"""What the handlers are given, and how they get at it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastapi import Request  # noqa: TC002  FastAPI reads it at run time

from services.broker.api.sight import seen_by

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager
    from datetime import date

    import asyncpg
    from prometheus_client import CollectorRegistry

    from schemas.catalogue.catalogue import Catalogue
    from services.broker.api.feed_signal import FeedSignal
    from services.broker.api.keys import KeyRing, Principal
    from services.broker.api.options import ApiSettings
    from services.broker.status import BrokerStatus
    from services.runtime.settings import ServiceSettings


@dataclass(frozen=True, slots=True)
class Api:
    """`settings` are those of the whole process, to be shown; `status` is None where no broker runs beside.

    `today` is the legal clock: the date in Asia/Shanghai by which the law is judged.
    """

    pool: asyncpg.Pool
    options: ApiSettings
    settings: ServiceSettings
    catalogue: Catalogue
    today: Callable[[], date]
    keys: KeyRing
    signal: FeedSignal
    registry: CollectorRegistry
    status: BrokerStatus | None
    stall_seconds: float

    def seen_by(
        self, principal: Principal, *, writes: bool = False
    ) -> AbstractAsyncContextManager[asyncpg.Connection]:
        """A transaction under the sight of `principal`."""
        return seen_by(principal, self.pool, self.options.api_acquire_seconds, writes=writes)


async def parts(request: Request) -> Api:
    """A dependency: what `create_app` was given."""
    api: Api = request.app.state.api
    return api
