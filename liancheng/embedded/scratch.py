"""Temporary data folders that the unprivileged PostgreSQL user can reach."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from liancheng.embedded.unprivileged import may_enter, server_account

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def scratch_folder(prefix: str = "liancheng-", *, keep: bool = False) -> Iterator[Path]:
    """A new folder for the data of embedded servers, removed at the end unless `keep`: stop them first.

    Short enough for a Unix socket below it, unless TMPDIR is long.
    """
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=_base()))
    try:
        if server_account() is not None:
            folder.chmod(0o711)  # enter, not list
        yield folder
    finally:
        if not keep:
            shutil.rmtree(folder)


def _base() -> Path:
    account = server_account()
    if account is None:
        return Path(tempfile.gettempdir())
    bases = [Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp")]  # noqa: S108 - mkdtemp follows
    for base in bases:
        if base.is_dir() and may_enter(base, account):
            return base
    raise RuntimeError(f"the user {account.name} may enter none of {', '.join(map(str, bases))}")
