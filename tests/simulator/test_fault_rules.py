from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from services.simulator.faults import FaultRule, Faults
from services.simulator.judgement import Verdict, answered_status


def rule(**members: Any) -> FaultRule:
    return FaultRule.model_validate(members)


@pytest.mark.parametrize(
    "members",
    [
        {"kind": "status"},
        {"kind": "latency"},
        {"kind": "retry_after"},
        {"kind": "retry_after", "retry_after": "tomorrow"},
        {"kind": "retry_after", "retry_after": -1},
        {"kind": "reset", "status": 500},
        {"kind": "timeout", "seconds": 3},
        {"kind": "latency", "seconds": 1, "stored": False},
        {"kind": "down", "stored": True},
        {"kind": "status", "status": 100},
        {"kind": "status", "status": 600},
        {"kind": "truncated", "status": 204},
        {"kind": "reset", "probability": 1.1},
        {"kind": "reset", "count": 0},
        {"kind": "reset", "colour": "red"},
        {"kind": "earthquake"},
    ],
)
def test_a_rule_that_would_not_do_what_it_says_is_an_error(members: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        rule(**members)


def test_the_first_rule_that_is_drawn_strikes_and_is_used_up() -> None:
    faults = Faults("NCISP", 1)
    faults.replace([rule(kind="reset", count=2), rule(kind="status", status=500, count=1)])
    struck = [drawn and drawn.kind for drawn in (faults.draw() for _ in range(5))]
    assert struck == ["reset", "reset", "status", None, None]
    assert [(seen["used"], seen["remaining"]) for seen in faults.view()] == [(2, 0), (1, 0)]


def test_down_is_drawn_at_the_head_and_the_others_after_the_body() -> None:
    faults = Faults("NCISP", 1)
    faults.replace([rule(kind="down", count=1), rule(kind="reset", count=1)])
    assert faults.draw() == rule(kind="reset", count=1)
    assert faults.draw() is None
    assert faults.refuses()
    assert not faults.refuses()


def test_a_seed_repeats_the_draws_and_each_receiver_has_its_own() -> None:
    def draws(receiver: str, seed: int) -> list[bool]:
        faults = Faults(receiver, seed)
        faults.replace([rule(kind="reset", probability=0.5)])
        return [faults.draw() is not None for _ in range(64)]

    assert draws("NCISP", 7) == draws("NCISP", 7)
    assert draws("NCISP", 7) != draws("NCISP", 8)
    assert draws("NCISP", 7) != draws("CREDIT_CHINA", 7)


def test_replacing_the_rules_starts_the_draws_anew() -> None:
    faults = Faults("NCISP", 7)
    runs = []
    for _ in range(2):
        faults.replace([rule(kind="reset", probability=0.5)])
        runs.append([faults.draw() is not None for _ in range(64)])
    assert runs[0] == runs[1]


@settings(deadline=None)
@given(st.integers(), st.floats(0, 1))
def test_never_and_always_are_exact(seed: int, probability: float) -> None:
    faults = Faults("NCISP", seed)
    faults.replace([rule(kind="reset", probability=probability)])
    struck = sum(faults.draw() is not None for _ in range(50))
    assert struck == {0.0: 0, 1.0: 50}.get(probability, struck)
    assert faults.view()[0]["used"] == struck


@pytest.mark.parametrize("verdict", Verdict)
def test_every_request_has_one_answered_status(verdict: Verdict) -> None:
    fault = rule(kind="status", status=599, stored=True)
    assert answered_status(verdict, fault) == 599
    assert answered_status(verdict, rule(kind="reset")) is None
    if verdict is not Verdict.FAULT:
        assert answered_status(verdict, None) == answered_status(verdict, rule(kind="latency", seconds=1))
