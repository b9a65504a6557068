"""Events, messages and a judge's bench for the broker's tests. All enterprises and numbers are fictional."""

from __future__ import annotations

import copy
import itertools
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from typing import TYPE_CHECKING, Any

import orjson

from schemas.catalogue.load import load_catalogue
from schemas.uscc import check_character
from services.broker.arrival import read_arrival
from services.broker.docket import hear
from services.broker.matter import Bench
from services.broker.policy import Policy
from services.broker.situation import Situation

if TYPE_CHECKING:
    from collections.abc import Iterable

    from services.broker.arrival import Arrival
    from services.broker.docket import Docket
    from services.broker.situation import InboxEntry, RecordVersion

TODAY = date(2026, 11, 25)
MAX_BYTES = 1_048_576
SUBJECT = "91150304M0000C0389"
AUTHORITY = {"name": "乌海市工业和信息化局", "uscc": "11150300M0000L112J", "region": "150300"}
PREFIX = "cn.capacity-exit."
OVERDUE, LISTING, REVOKED = (
    PREFIX + "capacity.exit.overdue",
    PREFIX + "listing.decided",
    PREFIX + "decision.revoked",
)
_INNER_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)


@dataclass(frozen=True, slots=True)
class TestMessage:
    """A Kafka message as intake sees it."""

    __test__ = False

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = field(default=())


@cache
def policy() -> Policy:
    return Policy(load_catalogue())


def bench(today: date = TODAY) -> Bench:
    numbers = itertools.count(1)
    return Bench(policy(), today, lambda: f"01TEST{next(numbers):020d}")


def uscc(number: int) -> str:
    """The `number`-th valid code, both checks included."""
    organisation = f"MT{number:06d}"
    check = 11 - sum(int(c, 36) * w for c, w in zip(organisation, _INNER_WEIGHTS, strict=True)) % 11
    first = "91150304" + organisation + {10: "X", 11: "0"}.get(check, str(check))
    return first + check_character(first)


def event(
    event_type: str, event_id: str, data: dict[str, Any], subject: str = SUBJECT, **attributes: Any
) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": event_id,
        "source": "//wuhai/miit/credit",
        "type": event_type,
        "subject": subject,
        "time": "2026-05-12T16:00:00+08:00",
        "datacontenttype": "application/json",
        "data": data,
    } | attributes


def facts(case_id: str = "WH-1", subject: str = SUBJECT, **more: Any) -> dict[str, Any]:
    """Data of an overdue fact: due 2026-03-10, reason F01."""
    return {
        "case_id": case_id,
        "enterprise": {"name": "乌海市示例石灰有限公司", "uscc": subject},
        "authority": dict(AUTHORITY),
        "dimensions": ["ENERGY"],
        "failure_reason": "F01",
        "obligation": {"ordered_on": "2025-09-10", "base_months": 6, "due_on": "2026-03-10"},
        "bases": [
            {"basis": "国发〔2010〕7号", "level": "STATE_COUNCIL_POLICY"},
            {"basis": "工信部联产业〔2017〕30号", "level": "NORMATIVE"},
        ],
    } | more


def decision(doc_no: str = "乌工信列决〔2026〕2号", **more: Any) -> dict[str, Any]:
    """A complete decision, served, of 2026-05-11."""
    return {
        "doc_no": doc_no,
        "doc_type": "LISTING",
        "decided_on": "2026-05-11",
        "served_on": "2026-05-12",
        "notice": {"served_on": "2026-04-20", "defence": "CLOSED"},
    } | more


def overdue(event_id: str = "o-1", subject: str = SUBJECT, **more: Any) -> dict[str, Any]:
    return event(OVERDUE, event_id, facts(subject=subject, **more), subject)


def listing(event_id: str = "l-1", subject: str = SUBJECT, **more: Any) -> dict[str, Any]:
    more.setdefault("decision", decision())
    return event(LISTING, event_id, facts(subject=subject, **more), subject)


def revoked(
    event_id: str = "r-1", subject: str = SUBJECT, doc_no: str = "乌工信列决〔2026〕2号", **more: Any
) -> dict[str, Any]:
    data = {
        "case_id": "WH-1",
        "authority": dict(AUTHORITY),
        "revoked_doc_no": doc_no,
        "revoking": {"by": "乌海市人民政府", "doc_no": "乌行复〔2026〕9号", "decided_on": "2026-09-01"},
        "nature": "REVOKED",
        "public_explanation": "认定事实不清，依法撤销",
    } | more
    return event(REVOKED, event_id, data, subject)


def changed(original: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A copy with the field at the dotted path set, or removed if `value` is Ellipsis."""
    result = copy.deepcopy(original)
    *outer, last = path.split(".")
    place = result
    for step in outer:
        place = place[step]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return result


def message(content: dict[str, Any] | bytes | None, offset: int = 0, partition: int = 0) -> TestMessage:
    if content is None or isinstance(content, bytes):
        return TestMessage(partition, offset, None, content)
    subject = content.get("subject")
    key = subject.encode() if isinstance(subject, str) else None
    return TestMessage(partition, offset, key, orjson.dumps(content))


def arrival(content: dict[str, Any] | bytes | None, inbox_id: int = 0) -> Arrival:
    read = read_arrival(message(content, inbox_id), MAX_BYTES)
    read.inbox_id = inbox_id
    return read


class Court:
    """A situation that events are put to one after another, as batches of one."""

    def __init__(self, today: date = TODAY) -> None:
        self.situation = Situation()
        self.bench = bench(today)
        self.versions: list[RecordVersion] = []
        self.entries: list[InboxEntry] = []
        self.verdicts: list[dict[str, Any]] = []

    def put(self, content: dict[str, Any] | bytes | None) -> InboxEntry:
        """Judge one event; its entry, whose verdict may still change."""
        docket: Docket = hear([arrival(content, len(self.entries) + 1)], self.situation, self.bench)
        (_, entry) = docket.heard[0]
        self.entries.append(entry)
        self.versions += docket.versions
        self.verdicts += [orjson.loads(row.body) for row in docket.verdicts]
        return entry

    def put_all(self, contents: Iterable[dict[str, Any]]) -> list[InboxEntry]:
        return [self.put(content) for content in contents]

    def record(self, subject: str = SUBJECT) -> RecordVersion:
        """The only record of the subject."""
        (record,) = self.situation.records_of(subject)
        return record


def codes(entry: InboxEntry) -> set[str]:
    return {finding.code for finding in entry.codes}


def warnings(entry: InboxEntry) -> set[str]:
    return {finding.code for finding in entry.warnings}
