"""What the wire can say about one request: an `Answer`, and the stable codes of what went wrong."""

from __future__ import annotations

import math
import re
from datetime import UTC
from email.utils import parsedate_to_datetime
from enum import StrEnum, unique
from typing import NamedTuple


@unique
class Fault(StrEnum):
    """Why there is no whole answer. Stable: these go to the ledger."""

    # Nothing was written: the receiver certainly did not see the request.
    FENCED = "FENCED"  # `may_write` said no
    NAME_UNRESOLVED = "NAME_UNRESOLVED"
    ADDRESS_FORBIDDEN = "ADDRESS_FORBIDDEN"
    CONNECT_REFUSED = "CONNECT_REFUSED"
    CONNECT_TIMEOUT = "CONNECT_TIMEOUT"
    CONNECT_FAILED = "CONNECT_FAILED"
    TLS_FAILED = "TLS_FAILED"
    # Written or not: see `Answer.written`.
    SENDER_CLOSED = "SENDER_CLOSED"
    # The request, or part of it, was written.
    RESPONSE_TIMEOUT = "RESPONSE_TIMEOUT"  # no byte in time
    ANSWER_TIMEOUT = "ANSWER_TIMEOUT"  # bytes, but not whole in time
    CONNECTION_RESET = "CONNECTION_RESET"
    CLOSED_BEFORE_ANSWER = "CLOSED_BEFORE_ANSWER"
    ANSWER_TRUNCATED = "ANSWER_TRUNCATED"
    BAD_ANSWER = "BAD_ANSWER"  # not HTTP/1, or HTTP/1 that contradicts itself
    HEAD_TOO_LARGE = "HEAD_TOO_LARGE"
    BODY_TOO_LARGE = "BODY_TOO_LARGE"


class Answer(NamedTuple):
    """The end of one request. (A tuple: made in a third of the time of a frozen dataclass.)

    `error` is None exactly when a whole final answer was read; `status` may be known without it (an answer
    cut off in its body). `written` False means that no byte of the request went to a socket. `retry_after` is
    in seconds from `answered_at`, uncapped. `body` is the payload without transfer coding, as far as it was
    read, `body_sha256` its digest, None without a status. `sent_at` and `answered_at` are Unix seconds.
    """

    status: int | None
    error: Fault | None
    written: bool
    retry_after: float | None
    body_sha256: bytes | None
    sent_at: float
    answered_at: float
    body: bytes = b""


_DELTA_SECONDS = re.compile(r"[0-9]{1,10}")
"""Ten digits are three centuries: what is longer is not a time."""


def retry_after_seconds(value: bytes, now: float) -> float | None:
    """Seconds from `now` (Unix seconds), by RFC 9110 §10.2.3: delta-seconds, or an HTTP-date in any form.

    Honoured in full: no cap. A date in the past is 0.0; what is neither is None, like an absent header.
    """
    text = value.decode("latin-1").strip()
    if _DELTA_SECONDS.fullmatch(text):
        return float(text)
    try:
        date = parsedate_to_datetime(text)
        at = (date.replace(tzinfo=UTC) if date.tzinfo is None else date).timestamp()
    except (ValueError, OverflowError, TypeError, IndexError):
        return None
    return max(0.0, at - now) if math.isfinite(at) else None
