"""Ctrl-C and friends: the first one ends the demo in order, the next one at once."""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_SIGNALLED: Final = 128  # what shells add to the number of the signal that ended a process


class Interrupted(BaseException):
    """Somebody wants the demo to end."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.exit_code = _SIGNALLED + number


class Interruption:
    """Takes a signal once: from then on, or once `ending` was said, a signal ends the process without a word.

    Nothing is left even so: the kernel ends the children, and the janitor removes the folder.
    """

    def __init__(self) -> None:
        self._taken = False

    def ending(self) -> None:
        """Tidying up must not be broken off by an exception in its middle."""
        self._taken = True

    def handle(self, number: int, _frame: FrameType | None) -> None:
        if self._taken:
            os._exit(_SIGNALLED + number)
        self._taken = True
        raise Interrupted(number)


@contextmanager
def interruptible() -> Iterator[Interruption]:
    """Raise Interrupted in the main thread on SIGINT, SIGTERM, SIGHUP; what is ignored (nohup) stays so."""
    interruption = Interruption()
    former = {number: signal.getsignal(number) for number in _SIGNALS}
    for number, handler in former.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, interruption.handle)
    try:
        yield interruption
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
