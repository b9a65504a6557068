"""Makes or updates .venv: the locked packages with their hashes, then this project as an editable install.

Run by tools/bootstrap.sh with any Python >= 3.11 and nothing installed. Does nothing if nothing has changed,
and is safe when two run at once in one clone.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
LOCK_FILE = VENV / ".lock"
STAMP = VENV / ".liancheng-stamp"
INPUTS = ("requirements.lock", "pyproject.toml")


def wanted_stamp() -> str:
    """What a finished .venv was made from. The path too: scripts and the editable install hold it."""
    digest = hashlib.sha256(b"".join((ROOT / name).read_bytes() for name in INPUTS))
    return f"{digest.hexdigest()} {ROOT}\n"


def stamped() -> str:
    try:
        return STAMP.read_text()
    except OSError:
        return ""


def is_usable(exactly_this_python: bool) -> bool:
    """Whether .venv can be updated in place: made here, with pip, and with the Python that was asked for."""
    if not stamped().endswith(f" {ROOT}\n"):
        return False
    probe = "import pip, sys; print(*sys.version_info[:2])"
    answer = subprocess.run([PYTHON, "-c", probe], capture_output=True, text=True, check=False)
    asked = " ".join(map(str, sys.version_info[:2]))
    return answer.returncode == 0 and (not exactly_this_python or answer.stdout.strip() == asked)


@contextmanager
def exclusive() -> Iterator[None]:
    VENV.mkdir(exist_ok=True)
    with LOCK_FILE.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Another make is setting up .venv: waiting for it ...", flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def remake() -> None:
    """A fresh virtual environment in the same folder; only the lock stays, because we hold it."""
    version = ".".join(map(str, sys.version_info[:3]))
    print(f"Making .venv with Python {version} ...", flush=True)
    for entry in VENV.iterdir():
        if entry == LOCK_FILE:
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
    base = getattr(sys, "_base_executable", None) or sys.executable  # not the one just deleted
    subprocess.run([base, "-m", "venv", str(VENV)], check=True)


def install(*arguments: str) -> None:
    pip = [str(PYTHON), "-m", "pip", "install", "--disable-pip-version-check", "--no-deps", *arguments]
    # A user's own PIP_USER or PIP_REQUIRE_HASHES must not reach an install into .venv.
    settings = {"PIP_USER": "0", "PIP_REQUIRE_HASHES": "0"}
    subprocess.run(pip, check=True, cwd=ROOT, env=os.environ | settings)


def main() -> int:
    exactly_this_python = "--exactly-this-python" in sys.argv[1:]
    wanted = wanted_stamp()
    if stamped() == wanted and is_usable(exactly_this_python):
        return 0
    with exclusive():
        usable = is_usable(exactly_this_python)
        if usable and stamped() == wanted:
            return 0
        if not usable:
            remake()
        # Names this folder and nothing else: an interrupted install is taken up, not taken for finished.
        STAMP.write_text(f"unfinished {ROOT}\n")
        install("--require-hashes", "-r", "requirements.lock")
        install("--quiet", "--no-build-isolation", "-e", ".")
        STAMP.write_text(wanted)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except subprocess.CalledProcessError as failure:
        sys.exit(f"error: {' '.join(map(str, failure.cmd))} ended with status {failure.returncode}")
    except PermissionError as failure:
        sys.exit(f"error: {failure}: .venv belongs to another user; run make as that user, or delete .venv")
