"""Dead letters: sealed, listed without their contents, replayed in place, purged."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from liancheng.commands import deadletter
from schemas.events import EVENT_TYPES
from services.broker.deadletters import LetterSeal, purge
from services.runtime.sealing import SealingError, SealingKeys, new_key
from tests.broker.events import TestMessage, changed, listing, revoked
from tests.broker.stand import RegisterStand, assert_sound, broker_settings, verdict_counts

if TYPE_CHECKING:
    from tests.stack import TestDatabase

pytestmark = pytest.mark.asyncio
SECRET = "某某身份证号"
FLAWED = changed(changed(listing(), "data.bases", []), "data.note", SECRET)


class Run:
    """What a command printed and answered."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def json(self) -> Any:
        return orjson.loads(self.out)


@pytest.fixture
def command(
    database: TestDatabase, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Any:
    settings = broker_settings(database)
    monkeypatch.setenv("LIANCHENG_BROKER_DATABASE_URL", database.broker_dsn)
    monkeypatch.setenv("LIANCHENG_DATA_KEY", settings.data_key.get_secret_value())
    monkeypatch.setenv("COLUMNS", "200")

    async def run(*argv: str) -> Run:
        capsys.readouterr()
        code = await asyncio.to_thread(deadletter.run, argv)
        printed = capsys.readouterr()
        return Run(code, printed.out, printed.err)

    return run


async def test_a_letter_keeps_every_byte_and_is_bound_to_its_place() -> None:
    seal = LetterSeal(SealingKeys(new_key()), 10)
    message = TestMessage(3, 7, b"k\xff", b"\x00\xffvalue", (("h", b"\x80"), ("none", None)))
    entry: Any = type("Entry", (), {"inbox_id": 5, "codes": []})
    now = datetime.now(UTC)
    row = seal.letter(message, entry, "t", now)
    sealed = row[6]
    assert b"value" not in sealed
    assert row[8] - now == timedelta(days=10)
    opened = seal.open("t", 3, 7, sealed)
    assert (opened.key, opened.value, opened.headers) == (message.key, message.value, message.headers)
    for place in (("u", 3, 7), ("t", 2, 7), ("t", 3, 8)):
        with pytest.raises(SealingError):
            seal.open(*place, sealed)


async def test_list_and_show_say_what_is_wrong_and_nothing_of_what_stands_in_it(
    stand: RegisterStand, command: Any
) -> None:
    assert "No dead letter" in (await command("list")).out
    await stand.put(FLAWED, b"not json")
    listed = await command("list")
    assert listed.code == 0
    assert "E_BASIS_MISSING" in listed.out
    assert "events/0@0" in listed.out
    assert [letter["codes"] for letter in (await command("list", "--json")).json] == [
        ["E_BASIS_MISSING"], ["E_NOT_JSON"],
    ]  # fmt: skip
    (one,) = (await command("list", "--code", "E_NOT_JSON", "--json")).json
    shown = await command("show", str(one["inbox_id"]))
    assert "E_NOT_JSON" in shown.out
    first = str(one["inbox_id"] - 1)
    for run in (listed, await command("show", first), await command("show", first, "--json")):
        assert SECRET not in run.out
    raw = await command("show", first, "--raw", "--json")
    assert orjson.loads(raw.json["value"]) == FLAWED
    assert raw.json["key"] == FLAWED["subject"]
    assert (await command("show", "999999")).code == 1


async def test_no_table_but_the_sealed_letter_holds_what_was_refused(
    stand: RegisterStand, database: TestDatabase
) -> None:
    await stand.put(FLAWED)
    tables = ("inbox", "verdict", "feed", "record", "dead_letter", "subject")
    for table in tables:
        for row in await stand.pool.fetch(f"table {table}"):
            assert SECRET not in str(dict(row))
            assert SECRET.encode() not in b"".join(
                value for value in row.values() if isinstance(value, bytes)
            )


async def test_a_replay_judges_the_message_again_in_place(
    stand: RegisterStand, command: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A type that was unknown when it came is known later: the message counts once, with a second verdict."""
    with monkeypatch.context() as without:
        without.delitem(EVENT_TYPES, revoked()["type"])
        await stand.put(listing(), revoked(), b"not json")
    before = await stand.pool.fetchval("select inbox_id from inbox where event_id = 'r-1'")
    assert await verdict_counts(stand.pool) == {"ACCEPTED": 1, "REFUSED": 2}
    run = await command("replay", "--code", "E_UNKNOWN_TYPE", "--json")
    assert run.code == 0
    (done,) = run.json["replayed"]
    assert (done["id"], done["verdict"], done["version"]) == (before, "ACCEPTED", 2)
    assert await verdict_counts(stand.pool) == {"ACCEPTED": 2, "REFUSED": 1}
    assert await stand.pool.fetchval("select state from record") == "REVOKED"
    verdicts = [
        row["verdict"]
        for row in await stand.pool.fetch(
            "select verdict from verdict where inbox_id = $1 order by 1", before
        )
    ]
    assert verdicts == ["ACCEPTED", "REFUSED"]
    row = await stand.pool.fetchrow("select * from inbox where inbox_id = $1", before)
    assert (row["event_id"], row["holds_key"], row["kafka_offset"]) == ("r-1", True, 1)
    assert await stand.pool.fetchval(
        "select replayed_at is not null from dead_letter where inbox_id = $1", before
    )
    await assert_sound(stand.pool)
    # It is settled: nothing is left to replay but what is refused for good.
    again = await command("replay", str(before))
    assert (again.code, again.out) == (1, "")
    refused = await command("replay", "--all", "--json")
    assert (refused.code, [one["codes"] for one in refused.json["replayed"]]) == (1, [["E_NOT_JSON"]])
    await stand.put(revoked())
    assert (await verdict_counts(stand.pool))["DUPLICATE"] == 1


async def test_letters_are_purged_when_their_retention_ends(stand: RegisterStand) -> None:
    await stand.put(b"a", b"b")
    now = datetime.now(UTC)
    assert await purge(stand.pool, now + timedelta(days=179)) == 0
    await stand.pool.execute("update dead_letter set expires_at = $1 where kafka_offset = 0", now)
    assert await purge(stand.pool, now + timedelta(seconds=1)) == 1
    assert await verdict_counts(stand.pool) == {"REFUSED": 2}
