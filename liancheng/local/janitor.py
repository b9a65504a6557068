"""Removes a folder when the process that owns it is gone. Run by path, with the standard library only.

    python -I -S janitor.py FOLDER

Standard input is a pipe from the owner, and says nothing: its end is the owner's end.
"""

from __future__ import annotations

import os
import shutil
import sys
import time

# PostgreSQL takes up to 5 s over an immediate shutdown, and files appear until it is gone.
_PATIENCE_S = 30.0
_POLL_S = 0.1


def main() -> None:
    folder = sys.argv[1]
    while os.read(sys.stdin.fileno(), 1):
        pass
    deadline = time.monotonic() + _PATIENCE_S
    while os.path.isdir(folder) and time.monotonic() < deadline:  # noqa: PTH112 - no pathlib: it loads slowly
        shutil.rmtree(folder, ignore_errors=True)
        time.sleep(_POLL_S)


if __name__ == "__main__":
    main()
