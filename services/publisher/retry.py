"""When a failed lane is tried again: full jitter, and never before the receiver allows.

Source: "full jitter" of the AWS Architecture Blog, *Exponential Backoff and Jitter* (2015);
Retry-After of RFC 9110 §10.2.3, honoured in full.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

# 2 ** 62 seconds is past any cap; a larger exponent only costs big-integer arithmetic.
_MAX_EXPONENT = 62


@dataclass(slots=True, frozen=True)
class RetrySchedule:
    """Seconds. After the n-th failure in a row (n = 1, 2, …): uniform in [0, min(cap, base · 2^(n-1))]."""

    base: float
    cap: float

    def ceiling(self, failures: int) -> float:
        return min(self.cap, self.base * 2.0 ** min(failures - 1, _MAX_EXPONENT))

    def delay(self, failures: int, retry_after: float | None, uniform: Callable[[], float]) -> float:
        """Seconds to wait; `uniform` gives a number in [0, 1). `retry_after` is a lower bound, uncapped."""
        jittered = self.ceiling(failures) * uniform()
        return jittered if retry_after is None else max(jittered, retry_after)
