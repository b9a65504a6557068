"""Upstream stories of many enterprises: facts, listings, revocations, repeats, rubbish, and their ends."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bench.listings import listing
from liancheng.local import RawMessage

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

Event = dict[str, Any]


@dataclass
class Stories:
    """`messages` in the order to send; `versions` by case: how many its record ends with, and the last op."""

    messages: list[Event | RawMessage] = field(default_factory=list)
    ends: dict[str, tuple[int, str]] = field(default_factory=dict)
    verdicts: dict[str, int] = field(default_factory=dict)

    def expect(self, verdict: str) -> None:
        self.verdicts[verdict] = self.verdicts.get(verdict, 0) + 1


def fact(decided: Event) -> Event:
    """The overdue fact that precedes a listing, without a decision."""
    event = deepcopy(decided)
    event["id"] += "-fact"
    event["type"] = "cn.capacity-exit.capacity.exit.overdue"
    event["time"] = "2026-03-20T09:00:00+08:00"
    del event["data"]["decision"]
    return event


def revocation(decided: Event) -> Event:
    data = decided["data"]
    return decided | {
        "id": decided["id"] + "-revoked",
        "type": "cn.capacity-exit.decision.revoked",
        "time": "2026-06-02T09:00:00+08:00",
        "data": {
            "case_id": data["case_id"],
            "authority": data["authority"],
            "revoked_doc_no": data["decision"]["doc_no"],
            "revoking": {"by": "乌海市人民政府(行政复议)", "doc_no": f"乌行复〔2026〕{decided['id']}号",
                         "decided_on": "2026-06-01"},
            "nature": "REVOKED",
            "public_explanation": "认定事实不清，依法撤销",
        },
    }  # fmt: skip


def stories(cases: int, run: str, chance: random.Random) -> Stories:
    """Per case: a fact, its listing, for half of them the revocation; some repeats; some rubbish."""
    told = Stories()
    steps: list[list[Event | RawMessage]] = []
    for number in range(cases):
        decided = listing(number, run)
        own: list[Event | RawMessage] = [fact(decided), decided]
        case = decided["data"]["case_id"]
        told.ends[case] = (2, "UPSERT")
        if chance.random() < 0.5:
            own.append(revocation(decided))
            told.ends[case] = (3, "RETRACT")
        for _ in own:
            told.expect("ACCEPTED")
        if chance.random() < 0.15:
            own.append(decided)
            told.expect("DUPLICATE")
        if chance.random() < 0.1:
            own.append(rubbish(decided, chance))
            told.expect("REFUSED")
        steps.append(own)
    told.messages = list(_interleaved(steps, chance))
    return told


def rubbish(decided: Event, chance: random.Random) -> RawMessage:
    """A message that must be refused; its key puts it in the middle of good ones."""
    value = chance.choice([b"", b"not JSON", b"\xff\xfe\x00", b'{"specversion": "1.0"}', b"[1, 2]"])
    return RawMessage(value, key=decided["subject"].encode())


def _interleaved(
    steps: list[list[Event | RawMessage]], chance: random.Random
) -> Iterator[Event | RawMessage]:
    """Cases mixed, each case's own messages in their order."""
    waiting = [list(reversed(own)) for own in steps]
    while waiting:
        index = chance.randrange(min(60, len(waiting)))
        yield waiting[index].pop()
        if not waiting[index]:
            waiting[index] = waiting[-1]
            waiting.pop()
