"""The floor under the deliveries: the bare sender with prepared requests, beside a bare COPY of its rows.

No lanes, leases, intents or retries: what the network, the signatures and PostgreSQL's COPY cost by
themselves, in one process, against the same sink and the same server.
"""

from __future__ import annotations

import asyncio
import base64
import time
from collections import deque
from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast

import asyncpg
import uvloop

from services.publisher.ledger_entry import COLUMNS, EntryWriter
from services.publisher.wire.addresses import Resolver
from services.publisher.wire.envelope import RequestTemplate, version_body
from services.publisher.wire.limits import WireLimits
from services.publisher.wire.sender import HttpSender
from services.publisher.wire.signing import SigningKey
from services.publisher.wire.target import Target

if TYPE_CHECKING:
    from collections.abc import Sequence

    from services.publisher.feed_row import FeedRow
    from services.publisher.wire.answer import Answer
    from services.publisher.wire.envelope import Rendered, VersionBody

COPY_ROWS = 500
KEY = SigningKey.parse("whsec_" + base64.b64encode(b"f" * 32).decode())


def measure(dsn: str, sink_url: str, rows: Sequence[FeedRow], destinations: int) -> float:
    """Deliveries/s of the floor: every row to every destination, sent and copied."""
    return uvloop.run(_measure(dsn, sink_url, rows, destinations))


async def _measure(dsn: str, sink_url: str, rows: Sequence[FeedRow], destinations: int) -> float:
    limits = WireLimits(allowed_networks=("127.0.0.0/8",))
    resolver = Resolver(limits)
    connection = await asyncpg.connect(dsn)
    await connection.execute("create table bench_floor as select * from ledger where false")
    entries: list[tuple[object, ...]] = []
    copied = asyncio.Event()
    total = len(rows) * destinations
    bodies = [
        version_body(
            record_uid=row.record_uid,
            version=row.version,
            sequence=row.seq,
            op=row.op,
            cause=row.cause,
            record=row.body,
        )
        for row in rows
    ]
    at = int(time.time())
    lanes = [
        _Lane(f"F{n}", sink_url, rows, bodies, at, limits, resolver, entries) for n in range(destinations)
    ]
    started = time.perf_counter()
    for lane in lanes:
        lane.pump()

    async def copy() -> None:
        done = 0
        while done < total:
            if len(entries) < COPY_ROWS and done + len(entries) < total:
                await asyncio.sleep(0.001)
                continue
            page, entries[:] = entries[:COPY_ROWS], entries[COPY_ROWS:]
            await connection.copy_records_to_table("bench_floor", records=page, columns=COLUMNS)
            done += len(page)
        copied.set()

    await copy()
    seconds = time.perf_counter() - started
    for lane in lanes:
        await lane.sender.close(1)
    await connection.execute("drop table bench_floor")
    await connection.close()
    return total / seconds


class _Lane:
    """One destination of the floor: prepared requests out, a ledger row for each answer."""

    def __init__(
        self,
        code: str,
        sink_url: str,
        rows: Sequence[FeedRow],
        bodies: Sequence[VersionBody],
        at: int,
        limits: WireLimits,
        resolver: Resolver,
        entries: list[tuple[object, ...]],
    ) -> None:
        template = RequestTemplate(Target.parse(f"{sink_url}/{code}"), code, [KEY])
        self._queue = deque((row, template.render(body, at)) for row, body in zip(rows, bodies, strict=True))
        self._entries = entries
        self._entry = EntryWriter(code, 0, 1, "floor")
        self.sender = HttpSender(
            Target.parse(f"{sink_url}/{code}"), limits, self._answered, resolver=resolver, tls=None
        )

    def pump(self) -> None:
        while self._queue and self.sender.free():
            row, rendered = self._queue.popleft()
            self.sender.send((row, rendered), rendered.request, lambda: True)

    def _answered(self, token: object, answer: Answer) -> None:
        # The sender hands back what it was given.
        row, rendered = cast("tuple[FeedRow, Rendered]", token)
        self._entries.append(
            self._entry.attempt(
                row,
                1,
                "ACCEPTED",
                settled_at=datetime.now(UTC).timestamp(),
                sent_at=answer.sent_at,
                status=answer.status,
                request_sha256=rendered.body_sha256,
                response_sha256=answer.body_sha256,
            )
        )
        self.pump()
