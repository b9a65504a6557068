"""A batch heard: every event judged in order, and all rows that come of it. Pure.

The judge sees events one at a time; the docket gathers what they did to the inbox, the feed, the verdicts
and the dead letters, so that the register can write each table with one statement.
"""

from __future__ import annotations

import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import orjson

from schemas.codes import Code, Finding
from schemas.events.verdict import Verdict
from services.broker.judge import judge
from services.broker.situation import InboxEntry, verdict_data
from services.runtime.logs import logger

if TYPE_CHECKING:
    from collections.abc import Iterable

    from services.broker.arrival import Arrival
    from services.broker.matter import Bench
    from services.broker.situation import RecordVersion, Situation

log = logger(__name__)


class VerdictRow(NamedTuple):
    inbox_id: int
    subject: str | None
    verdict: str
    body: bytes


@dataclass(slots=True)
class Docket:
    """In the order in which they came to be. `changed`: entries that stand in the database otherwise."""

    heard: list[tuple[Arrival, InboxEntry]] = field(default_factory=list)
    versions: list[RecordVersion] = field(default_factory=list)
    verdicts: list[VerdictRow] = field(default_factory=list)
    changed: list[InboxEntry] = field(default_factory=list)

    @property
    def refused(self) -> list[tuple[Arrival, InboxEntry]]:
        return [(arrival, entry) for arrival, entry in self.heard if entry.verdict is Verdict.REFUSED]

    def newest_versions(self) -> dict[str, RecordVersion]:
        """The last version of each record that this batch touched, by uid."""
        return {version.record_uid: version for version in self.versions}


def hear(arrivals: Iterable[Arrival], situation: Situation, bench: Bench) -> Docket:
    """Judge all in order. An event on which the judge itself fails is refused, and the next one heard."""
    docket = Docket()
    for arrival in arrivals:
        try:
            entry, outcome = judge(arrival, situation, bench)
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not stop the events behind it
            # No message and no traceback with locals: both could repeat what stands in the event.
            log.error(  # noqa: TRY400
                "judge_failed", error=type(error).__name__, at=_places(error), inbox_id=arrival.inbox_id
            )
            docket.heard.append((arrival, refused_unjudged(arrival)))
            docket.verdicts.append(_verdict(docket.heard[-1][1]))
            continue
        docket.heard.append((arrival, entry))
        docket.verdicts.append(_verdict(entry))
        if outcome.record is not None:
            docket.versions.append(outcome.record)
            for settled in outcome.settled:
                docket.verdicts.append(_verdict(settled))
    docket.changed = list(situation.changed.values())
    return docket


def refuse_all(arrivals: Iterable[Arrival]) -> Docket:
    """Refuse without judging: for what cannot be stored."""
    docket = Docket()
    for arrival in arrivals:
        entry = refused_unjudged(arrival)
        docket.heard.append((arrival, entry))
        docket.verdicts.append(_verdict(entry))
    return docket


def refused_unjudged(arrival: Arrival) -> InboxEntry:
    """The entry of a message that the broker cannot judge or store: nothing of its content is kept but
    sealed.
    """
    return InboxEntry(
        inbox_id=arrival.inbox_id,
        source=None,
        event_id=None,
        type=None,
        subject=None,
        time=None,
        case_id=None,
        trace_id=None,
        digest=arrival.digest,
        act_key=None,
        holds_key=False,
        data=None,
        stored_data=None,
        verdict=Verdict.REFUSED,
        codes=[Finding(Code.E_UNJUDGED, "message")],
    )


def _places(error: BaseException) -> list[str]:
    frames = traceback.extract_tb(error.__traceback__)
    return [f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames]


def _verdict(entry: InboxEntry) -> VerdictRow:
    return VerdictRow(entry.inbox_id, entry.subject, entry.verdict, orjson.dumps(verdict_data(entry)))
