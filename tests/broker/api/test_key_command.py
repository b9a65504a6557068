"""`liancheng key`, as an operator types it."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from liancheng.commands import key
from services.broker.api.tokens import digest, read_token

if TYPE_CHECKING:
    from tests.stack import TestDatabase

AGENCY = [
    "--name",
    "乌海市政府采购中心",
    "--scopes",
    "check:read,feed:read",
    "--areas",
    "SA08",
    "--regions",
    "150300",
]


@pytest.fixture
def stored(database: TestDatabase, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The one key of the database, as stored."""
    monkeypatch.setenv("LIANCHENG_MIGRATOR_DATABASE_URL", database.migrator_dsn)

    async def read() -> asyncpg.Record:
        connection = await asyncpg.connect(database.superuser_dsn)
        try:
            return await connection.fetchrow("select * from api_key")
        finally:
            await connection.close()

    return lambda: asyncio.run(read())


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    assert key.run([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_key_is_made_shown_once_rotated_and_revoked(
    stored: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    made = run(capsys, "create", *AGENCY, "--expires-days", "30")
    token = read_token(made["token"])
    assert token is not None
    assert token.key_id == made["key_id"]
    row = stored()
    assert row["secret_sha256"] == digest(token.secret)
    assert (row["scopes"], row["areas"], row["regions"]) == (
        ["check:read", "feed:read"],
        ["SA08"],
        ["150300"],
    )

    (listed,) = run(capsys, "list")
    assert (listed["key_id"], listed["name"], listed["state"]) == (
        token.key_id,
        "乌海市政府采购中心",
        "active",
    )
    assert token.secret not in json.dumps(listed)

    rotated = run(capsys, "rotate", token.key_id, "--overlap-hours", "2")
    second = read_token(rotated["token"])
    assert second is not None
    assert (second.key_id, second.secret != token.secret) == (token.key_id, True)
    assert stored()["previous_sha256"] == digest(token.secret)
    assert run(capsys, "list")[0]["state"] == "rotating"

    assert run(capsys, "revoke", token.key_id) == {"revoked": token.key_id}
    assert run(capsys, "list")[0]["state"] == "revoked"
    for again in (["revoke", token.key_id], ["rotate", token.key_id], ["rotate", "unknown"]):
        assert key.run(again) == 1
        assert "no key" in capsys.readouterr().err


def test_people_get_a_table_and_the_secret_with_a_warning(
    stored: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert key.run(["list"]) == 0
    assert "No key yet" in capsys.readouterr().out
    assert key.run(["create", "--name", "审计", "--scopes", "audit:read"]) == 0
    shown = capsys.readouterr()
    assert "lck_" in shown.out
    assert "this once" in shown.err
    assert key.run(["list"]) == 0
    assert stored()["key_id"] in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--name", "x", "--scopes", "check:read"], "needs areas and regions"),
        (["--name", "x", "--scopes", "check:read", "--areas", "SA08"], "needs areas and regions"),
        (["--name", "x", "--scopes", "admin", "--areas", "SA08"], "sees all"),
        (["--name", " ", "--scopes", "admin"], "needs a name"),
        (["--name", "x", "--scopes", ","], "needs a scope"),
    ],
)
def test_a_key_that_makes_no_sense_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], reason: str
) -> None:
    monkeypatch.setenv("LIANCHENG_MIGRATOR_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    assert key.run(["create", *arguments]) == 1
    assert reason in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["create", "--name", "x", "--scopes", "read"], "there are: check:read"),
        (["create", "--name", "x", "--scopes", "check:read", "--areas", "SA99"], "there are: SA01"),
        (["create", "--name", "x", "--scopes", "check:read", "--regions", "Wuhai"], "six digits"),
        (["create", "--name", "x", "--scopes", "admin", "--expires-days", "-1"], "above zero"),
        (["rotate", "x", "--overlap-hours", "inf"], "above zero"),
        ([], "required"),
    ],
)
def test_a_wrong_command_line_says_what_is_right(
    capsys: pytest.CaptureFixture[str], arguments: list[str], reason: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        key.run(arguments)
    assert ended.value.code == 2
    assert reason in capsys.readouterr().err


def test_help_explains_the_scopes(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        key.run(["--help"])
    shown = capsys.readouterr().out
    assert "audit:read" in shown
    assert "审计" in shown
