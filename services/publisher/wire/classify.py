"""From an answer to its outcome. Pure.

Only 2xx is success (Standard Webhooks). Every other status is *retryable*: the field's practice is that a
delivery service can't know which 4xx a receiver will repair, and REJECTED is a receiver's business decision
about a record, read from a receipt, never from a status. 410 is retryable too, under the code `GONE`: the
version stays owed, and the dispatcher stops the destination.

What may have been seen but was not wholly answered is UNKNOWN: retried as well (the receiver de-duplicates by
`webhook-id`), but who may hold a record is owed its retraction.
"""

from __future__ import annotations

from enum import StrEnum, unique
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from services.publisher.wire.answer import Answer

GONE: Final = "GONE"
"""The code of a 410: stop the destination."""


@unique
class Outcome(StrEnum):
    """What can come of one attempt. The wire alone never decides REJECTED."""

    ACCEPTED = "ACCEPTED"
    RETRYABLE = "RETRYABLE"
    REJECTED = "REJECTED"
    UNKNOWN = "UNKNOWN"


class Verdict(NamedTuple):
    """`code` is None for ACCEPTED, else stable: a `Fault`, `GONE`, or `HTTP_<status>`."""

    outcome: Outcome
    code: str | None


def _of_status(status: int) -> Verdict:
    if 200 <= status <= 299:  # noqa: PLR2004
        return Verdict(Outcome.ACCEPTED, None)
    return Verdict(Outcome.RETRYABLE, GONE if status == 410 else f"HTTP_{status}")  # noqa: PLR2004


_BY_STATUS: Final = {status: _of_status(status) for status in range(200, 1000)}


def classify(answer: Answer) -> Verdict:
    """The outcome of an attempt. (FENCED is none: nothing left, and the lease's next owner will send.)"""
    if answer.error is None and answer.status is not None:
        return _BY_STATUS[answer.status]
    return Verdict(Outcome.UNKNOWN if answer.written else Outcome.RETRYABLE, answer.error)
