"""Rules for the user that PostgreSQL runs as; none of these tests needs to be root."""

from __future__ import annotations

import os
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from liancheng.embedded import unprivileged
from liancheng.embedded.process import Account

if TYPE_CHECKING:
    from collections.abc import Iterator

STRANGER = Account("stranger", 54_321, 54_321)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Not pytest's own temporary folder, which nobody else may enter."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_a_folder_can_be_entered_only_if_all_above_it_can(open_folder: Path) -> None:
    below = open_folder / "between" / "below"
    below.mkdir(parents=True)
    assert unprivileged.may_enter(below, STRANGER)
    below.parent.chmod(0o700)
    assert not unprivileged.may_enter(below, STRANGER)
    assert unprivileged.may_enter(below, Account("self", os.getuid(), os.getgid()))
    assert unprivileged.may_enter(below, None)
    below.parent.chmod(0o710)
    assert unprivileged.may_enter(below, Account("colleague", 54_321, below.parent.stat().st_gid))
    assert not unprivileged.may_enter(below, STRANGER)


def test_our_own_user_runs_the_installed_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1_000)
    assert unprivileged.server_account() is None
    assert "site-packages" in str(unprivileged.postgres_home(None))


def test_root_without_the_other_user_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(unprivileged, "_ACCOUNT", "no-such-user")
    with pytest.raises(RuntimeError, match="there is no user 'no-such-user'"):
        unprivileged.server_account()


def test_a_wheel_that_cannot_be_read_is_copied_once_and_the_copy_works(
    open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIANCHENG_CACHE", str(open_folder / "cache"))
    monkeypatch.setattr(unprivileged, "_is_readable", lambda *_: False)
    with ThreadPoolExecutor(2) as pool:
        homes = set(pool.map(unprivileged.postgres_home, [STRANGER, STRANGER]))
    (home,) = homes
    assert home.is_relative_to(open_folder)
    made = home.stat().st_ino
    assert unprivileged.postgres_home(STRANGER).stat().st_ino == made
    assert not list(open_folder.rglob("*.partial"))
    assert all(path.stat().st_mode & 0o004 for path in home.rglob("*"))
    answer = subprocess.run([home / "bin" / "postgres", "--version"], capture_output=True, check=True)
    assert answer.stdout.startswith(b"postgres (PostgreSQL) 18.")


def test_a_copy_never_lies_where_others_may_write(open_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = open_folder / "cache"
    cache.mkdir()
    cache.chmod(0o777)
    monkeypatch.setenv("LIANCHENG_CACHE", str(cache))
    monkeypatch.setattr(unprivileged, "_FALLBACK_FOLDERS", ())
    with pytest.raises(RuntimeError, match="stranger may enter none of"):
        unprivileged._shared_folder(STRANGER)
