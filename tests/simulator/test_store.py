"""The verdicts and what is held depend on the order of arrival only, not on how commits cut it up."""

from __future__ import annotations

import sqlite3
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from services.simulator.faults import FaultKind, FaultRule
from services.simulator.judgement import Push, Verdict, compare, read_push
from services.simulator.reading import Reader
from services.simulator.store import Arrival, Writer
from tests.simulator.harness import body_of, uid

DRAWN = st.tuples(
    st.sampled_from(["NCISP", "CREDIT_CHINA"]),
    st.integers(0, 3),
    st.integers(1, 4),
    st.sampled_from([None, None, None, Verdict.FAULT, Verdict.BAD_SIGNATURE]),
)


def arrival(receiver: str, number: int, version: int, verdict: Verdict | None) -> Arrival:
    body = body_of(uid(number), version, op="RETRACT" if version == 4 else "UPSERT")
    push = read_push(body)
    assert isinstance(push, Push)
    fault = FaultRule(kind=FaultKind.RESET) if verdict is Verdict.FAULT else None
    return Arrival(receiver, "id", 0.5, 1, body, push, verdict, fault)


def written(arrivals: list[Arrival], cuts: list[int]) -> tuple[list[Verdict], list[Any], list[Any]]:
    """Verdicts, arrivals and holdings after the arrivals were committed in batches of these sizes."""
    verdicts: list[Verdict] = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "db"
        writer = Writer(path, "NORMAL")
        rest, sizes = arrivals, iter(cuts)
        while rest:
            size = next(sizes, len(rest))
            verdicts += writer.record(rest[:size])
            rest = rest[size:]
        writer.close()
        database = sqlite3.connect(path)
        try:
            rows = database.execute("select * from arrival order by arrival_no").fetchall()
            holdings = database.execute("select * from holding order by 1, 2").fetchall()
        finally:
            database.close()
    return verdicts, rows, holdings


@settings(deadline=None, max_examples=50)  # each example makes two databases
@given(st.lists(DRAWN, max_size=25), st.lists(st.integers(1, 6), max_size=25))
def test_how_commits_cut_the_arrivals_changes_nothing(drawn: list[Any], cuts: list[int]) -> None:
    arrivals = [arrival(*one) for one in drawn]
    whole = written(arrivals, [])
    assert written(arrivals, cuts) == whole
    verdicts, rows, holdings = whole

    held: dict[tuple[str, str], int] = {}
    expected = []
    for receiver, number, version, forced in drawn:
        key = (receiver, uid(number))
        verdict = forced or compare(held.get(key), version)
        expected.append(verdict)
        if verdict is Verdict.NEW:
            held[key] = version
    assert verdicts == expected
    assert [row[0] for row in rows] == list(range(1, len(drawn) + 1))
    assert {(receiver, uid_): version for receiver, uid_, version, *_ in holdings} == held


@given(st.one_of(st.none(), st.integers(1, 5)), st.integers(1, 5))
def test_a_version_is_new_repeated_or_older(held: int | None, version: int) -> None:
    verdict = compare(held, version)
    if held is None:
        assert verdict is Verdict.NEW
    else:
        order = (version > held) - (version < held)
        assert verdict is {1: Verdict.NEW, 0: Verdict.DUPLICATE, -1: Verdict.STALE}[order]


def test_every_request_is_in_one_count(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "db", "FULL")
    kinds = [None, None, Verdict.FAULT, Verdict.BAD_SIGNATURE, Verdict.MALFORMED]
    writer.record([arrival("NCISP", n % 7, 1 + n % 3, kinds[n % 5]) for n in range(100)])
    reader = Reader(tmp_path / "db")
    counts = reader.counts(["NCISP", "CREDIT_CHINA"])
    reader.close()
    writer.close()
    of = counts["NCISP"]
    parts = (of.accepted, of.duplicates, of.stale, of.bad_signature, of.malformed, of.faulted)
    assert of.requests == sum(parts) == 100
    assert all(parts)
    assert counts["CREDIT_CHINA"].requests == 0
