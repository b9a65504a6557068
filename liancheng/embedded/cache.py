"""The user's cache folder, and locks between processes that fill it."""

from __future__ import annotations

import fcntl
import os
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def cache_folder() -> Path:
    """`LIANCHENG_CACHE`, else `liancheng` in `XDG_CACHE_HOME`, else in `~/.cache`. It need not exist yet."""
    if own := os.environ.get("LIANCHENG_CACHE"):
        return Path(own).expanduser().absolute()
    base = os.environ.get("XDG_CACHE_HOME")
    # The XDG specification says to ignore a relative path.
    return (Path(base) if base and Path(base).is_absolute() else Path.home() / ".cache") / "liancheng"


@contextmanager
def exclusive(lock_file: Path) -> Iterator[None]:
    """Hold a lock that ends with this process at the latest; a second holder waits.

    Raises OSError if the folder of `lock_file` can't be written.
    """
    try:
        lock_file.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise OSError(
            error.errno,
            f"cannot write {lock_file.parent} ({error.strerror}); name another folder in LIANCHENG_CACHE",
        ) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"waiting for another process that holds {lock_file} ...", file=sys.stderr, flush=True)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
