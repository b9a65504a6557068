"""The story: emit the events in their order, watch verdicts and receivers, and write down what was seen."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import asyncpg

from liancheng.demo.observation import Arrival, Held, Letter, Observation
from liancheng.local.database import run_apart
from schemas.database import roles
from services.broker.letter_store import letters

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from liancheng.demo.expectations import Expectations, ExpectedEvent
    from liancheng.demo.narrator import Narrator
    from liancheng.local import LocalStack, SimulatorProcess, VerdictReader
    from liancheng.local.client import Client

_POLL_S: Final = 0.05
_ALL: Final = 1_000


class Story:
    """One run of the events through a stack whose services are ready."""

    def __init__(
        self,
        stack: LocalStack,
        api: Client,
        simulator: SimulatorProcess,
        narrator: Narrator,
        *,
        verdict_seconds: float,
        delivery_seconds: float,
    ) -> None:
        self._stack = stack
        self._api = api
        self._simulator = simulator
        self._narrator = narrator
        self._verdict_seconds = verdict_seconds
        self._delivery_seconds = delivery_seconds
        self._verdicts: dict[str, dict[str, Any]] = {}
        self._arrived: dict[str, int] = {}
        self._arrivals: list[Arrival] = []

    def play(self, expectations: Expectations, events: Mapping[str, Mapping[str, Any]]) -> Observation:
        """Emit everything, each part once the one before has arrived, and look at what has come of it."""
        reader = self._stack.verdicts()
        try:
            for part in parts(expectations.events):
                self._narrator.emits(part)
                emitted_at = time.time()
                self._stack.emit(events[event.id] for event in part)
                self._hear({event.id for event in part}, reader)
                self._settle(emitted_at)
        finally:
            reader.close()
        return self._look()

    def _hear(self, awaited: set[str], reader: VerdictReader) -> None:
        """Wait for a verdict on each, up to the time-out: what is missing then is for the check to say."""
        deadline = time.monotonic() + self._verdict_seconds
        while awaited - self._verdicts.keys() and time.monotonic() < deadline:
            for verdict in reader.read(_POLL_S):
                data: dict[str, Any] = verdict.data
                self._verdicts[data["event"]["id"]] = data
                self._narrator.judged(data)

    def _settle(self, emitted_at: float) -> None:
        """Wait until every destination has what it is owed, up to the time-out."""
        deadline = time.monotonic() + self._delivery_seconds
        while (backlog := self._backlog()) and time.monotonic() < deadline:
            self._receive(emitted_at)
            time.sleep(_POLL_S)
        self._receive(emitted_at)
        self._narrator.settled(backlog)

    def _backlog(self) -> dict[str, tuple[int, int]]:
        """(feed rows behind, parked deliveries) of the destinations that are not done."""
        return {
            item["code"]: (item["lag"], item["parked"])
            for item in self._api.items("/v1/destinations")
            if item["lag"] or item["parked"]
        }

    def _receive(self, emitted_at: float) -> None:
        """See what has arrived since the last look."""
        for code, counts in self._simulator.counts().items():
            if counts["requests"] == self._arrived.get(code, 0):
                continue
            rows = self._simulator.arrivals(code)
            for row in rows[self._arrived.get(code, 0) :]:
                arrival = Arrival(
                    code, row["record_uid"], row["version"], row["op"], row["verdict"], row["at"]
                )
                self._arrivals.append(arrival)
                self._narrator.arrived(arrival, row["at"] - emitted_at)
            self._arrived[code] = len(rows)

    def _look(self) -> Observation:
        destinations = tuple(item["code"] for item in self._api.items("/v1/destinations"))
        inbox = list(self._api.items("/v1/inbox"))
        ledger = self._api.items("/v1/audit/deliveries")
        uids = {verdict["record_uid"] for verdict in self._verdicts.values()} - {None}
        events = {item["inbox_id"]: item["event"]["id"] for item in inbox}
        return Observation(
            destinations=destinations,
            verdicts=self._verdicts,
            produced=self._stack.produced(),
            records={uid: self._api.get(f"/v1/records/{uid}") for uid in uids},
            arrivals=self._arrivals,
            holdings={
                code: {
                    row["record_uid"]: Held(row["version"], row["op"])
                    for row in self._simulator.records(code)
                }
                for code in self._simulator.receivers
            },
            inbox=Counter(item["verdict"] for item in inbox),
            outcomes=Counter(entry["outcome"] for entry in ledger if entry["kind"] != "PAGE"),
            letters={events[letter.inbox_id]: letter for letter in self._letters()},
            backlog=self._backlog(),
        )

    def _letters(self) -> Sequence[Letter]:
        async def read() -> list[Letter]:
            connection = await asyncpg.connect(self._stack.dsn(roles.BROKER))
            try:
                found = await letters(connection, code=None, refused_only=True, after=0, limit=_ALL)
            finally:
                await connection.close()
            return [Letter(one.inbox_id, one.topic, one.partition, one.offset) for one in found]

        return run_apart(read())


def parts(events: Sequence[ExpectedEvent]) -> list[list[ExpectedEvent]]:
    """The events in their order, cut before each that waits for another to have arrived."""
    cut: list[list[ExpectedEvent]] = []
    for event in events:
        if not cut or event.after is not None:
            cut.append([])
        cut[-1].append(event)
    return cut
