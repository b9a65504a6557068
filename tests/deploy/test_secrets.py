"""tools/compose_secrets.py: complete, random, readable in a container and to nobody else on the machine."""

from __future__ import annotations

import base64
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from services.runtime.sealing import SealingKeys
from tests.deploy.compose_file import ROOT
from tools import compose_secrets

if TYPE_CHECKING:
    from pathlib import Path


def contents(folder: Path) -> dict[str, str]:
    return {file.name: file.read_text().strip() for file in folder.iterdir()}


def test_a_second_run_keeps_everything(tmp_path: Path) -> None:
    made, kept = compose_secrets.make(tmp_path)
    first = contents(tmp_path)
    assert set(made) == set(first)
    assert kept == []
    assert compose_secrets.make(tmp_path) == ([], made)
    assert contents(tmp_path) == first


def test_what_is_deleted_is_made_anew_with_what_follows_from_it(tmp_path: Path) -> None:
    compose_secrets.make(tmp_path)
    before = contents(tmp_path)
    for name in ("liancheng_secret_ncisp", "liancheng_broker_database_url"):
        (tmp_path / name).unlink()
    made, _ = compose_secrets.make(tmp_path)
    after = contents(tmp_path)
    assert set(made) == {"liancheng_secret_ncisp", "liancheng_broker_database_url", "simulator_receivers"}
    assert {name for name in after if after[name] != before[name]} == set(made)
    assert after["liancheng_secret_ncisp"] in after["simulator_receivers"]


def test_two_runs_have_nothing_in_common(tmp_path: Path) -> None:
    compose_secrets.make(tmp_path / "one")
    compose_secrets.make(tmp_path / "two")
    one, two = contents(tmp_path / "one"), contents(tmp_path / "two")
    assert one.keys() == two.keys()
    assert not set(one.values()) & set(two.values())


def test_containers_can_read_them_and_other_users_cannot_reach_them(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    compose_secrets.make(folder)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in folder.iterdir()} == {0o444}


def test_they_are_of_the_form_that_is_asked_for() -> None:
    values = compose_secrets.fresh()
    SealingKeys(values["liancheng_data_key"])
    signing = [values[name] for name in compose_secrets.signing_secrets().values()]
    assert len(set(signing)) == 9
    for secret in signing:
        assert len(base64.b64decode(secret.removeprefix("whsec_"), validate=True)) == 32


@pytest.mark.parametrize("role", compose_secrets.ROLES)
def test_each_role_has_a_password_of_its_own(role: str) -> None:
    urls = {name: value for name, value in compose_secrets.fresh().items() if name.endswith("_database_url")}
    password = urls[f"liancheng_{role}_database_url"].partition("@")[0].rpartition(":")[2]
    assert len(password) >= 32
    assert sum(password in url for url in urls.values()) == 1


def test_it_runs_alone_and_shows_no_secret(tmp_path: Path) -> None:
    command = [sys.executable, "-I", "-S", str(ROOT / "tools/compose_secrets.py"), str(tmp_path)]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert shown == f"{tmp_path}: 19 secrets made, 0 kept\n"
    assert not any(value in shown for value in contents(tmp_path).values())
