"""Becomes a server that can't outlive its parent. Run by path, with the standard library only.

    python -I -S launch.py PARENT_PID DEATH_SIGNAL UID GID PROGRAM [ARGUMENT...]

A UID of -1 keeps the user. The order matters: the kernel forgets the death signal when the user changes, and
keeps it over exec. An unprivileged user may not be able to read this interpreter, so the user changes here.
"""

from __future__ import annotations

import os
import sys

_PR_SET_PDEATHSIG = 1


def _die_with_parent(parent: int, death_signal: int) -> None:
    if not sys.platform.startswith("linux"):
        return
    import ctypes  # noqa: PLC0415 - not built into every interpreter, and of no use elsewhere

    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, death_signal, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent:
        sys.exit("launch: the parent ended before the server began")


def main() -> None:
    parent, death_signal, uid, gid = map(int, sys.argv[1:5])
    program = sys.argv[5:]
    if sys.platform.startswith("linux"):
        import ctypes  # noqa: F401, PLC0415 - loaded while its files can still be read
    if uid >= 0:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    _die_with_parent(parent, death_signal)
    os.execv(program[0], program)  # noqa: S606 - a server, without a shell


if __name__ == "__main__":
    main()
