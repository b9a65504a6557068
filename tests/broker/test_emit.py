"""`liancheng emit`: what is read from a file, and that it arrives in either mode."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from liancheng.commands import emit
from schemas.inbound import read_event
from services.broker.emitting import read_emissions
from tests.broker.events import SUBJECT, listing, overdue

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import TopicFactory


def lines(*contents: Any) -> list[bytes]:
    return [orjson.dumps(content) for content in contents]


@pytest.mark.parametrize("binary", [False, True])
def test_bare_events_and_wrapped_ones_arrive_as_they_were_written(binary: bool) -> None:
    found = read_emissions(
        [*lines(overdue(), {"event": listing(), "expected": "x"}), b"", b"  "], binary=binary, only=()
    )
    assert [emission.id for emission in found] == ["o-1", "l-1"]
    for emission, original in zip(found, (overdue(), listing()), strict=True):
        event = read_event(emission.headers, emission.key, emission.value)
        assert event.findings == []
        assert event.data is not None
        assert emission.key == SUBJECT.encode()
        assert (event.id, event.type) == (original["id"], original["type"])
        assert orjson.loads(event.data.known())["case_id"] == "WH-1"


def test_only_picks_in_the_order_asked_for() -> None:
    found = read_emissions(lines(overdue(), listing()), binary=False, only=("l-1", "o-1"))
    assert [emission.id for emission in found] == ["l-1", "o-1"]
    with pytest.raises(ValueError, match="no event x"):
        read_emissions(lines(overdue()), binary=False, only=("x",))


@pytest.mark.parametrize("line", [b"{", b"[1]"])
def test_a_line_that_is_no_object_is_named(line: bytes) -> None:
    with pytest.raises(ValueError, match="line 2"):
        read_emissions([*lines(overdue()), line], binary=False, only=())


def test_an_unreadable_file_and_an_empty_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert emit.run([str(tmp_path / "none.ndjson")]) == 1
    empty = tmp_path / "empty.ndjson"
    empty.write_bytes(b"\n")
    assert emit.run([str(empty)]) == 0
    assert "Nothing to send" in capsys.readouterr().out


@pytest.mark.system
@pytest.mark.asyncio
async def test_without_a_broker_no_verdict_comes_and_the_exit_code_says_so(
    kafka_server: str, topic_factory: TopicFactory, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    events, verdicts = await topic_factory(), await topic_factory()
    monkeypatch.setenv("LIANCHENG_KAFKA_VERDICTS_TOPIC", verdicts)
    file = tmp_path / "events.ndjson"
    file.write_bytes(b"\n".join(lines(overdue(), listing())))
    argv = [str(file), "--topic", events, "--bootstrap", kafka_server, "--rate", "100"]
    assert await asyncio.to_thread(emit.run, argv) == 0
    assert await asyncio.to_thread(emit.run, [*argv, "--wait", "--timeout", "1", "--only", "l-1"]) == 1
    assert "no verdict on l-1" in capsys.readouterr().err
