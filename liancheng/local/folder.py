"""A folder for a stack of which nothing is left, however its process ends."""

from __future__ import annotations

import subprocess
import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from liancheng.embedded.scratch import scratch_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

_JANITOR: Final = Path(__file__).with_name("janitor.py")


@contextmanager
def disposable_folder(prefix: str) -> Iterator[Path]:
    """As `scratch_folder`; and should this process be killed, a process that waits for that removes it."""
    with ExitStack() as afterwards, scratch_folder(prefix) as folder:
        afterwards.enter_context(_janitor(folder))
        yield folder


@contextmanager
def _janitor(folder: Path) -> Iterator[None]:
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", str(_JANITOR), str(folder)],
        stdin=subprocess.PIPE,  # ends when this process does: nobody else holds the other end
        cwd="/",
        start_new_session=True,
    )
    try:
        yield
    finally:
        process.kill()
        process.communicate()
