from __future__ import annotations

import asyncio
import io
from typing import TYPE_CHECKING, Any, TypeVar

import pytest
import uvloop

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

T = TypeVar("T")
DEADLINE_SECONDS = 20.0


async def within_deadline(scenario: Coroutine[Any, Any, T]) -> T:
    task = asyncio.ensure_future(scenario)
    done, _ = await asyncio.wait([task], timeout=DEADLINE_SECONDS)
    if done:
        return task.result()
    stacks = io.StringIO()
    for stuck in asyncio.all_tasks():
        stuck.print_stack(file=stacks)
    task.cancel()
    raise AssertionError(f"stuck:\n{stacks.getvalue()}")


class Run:
    """Runs one scenario on a fresh loop, within a deadline. What the loop complains about fails the test."""

    def __init__(self, loop_factory: Callable[[], asyncio.AbstractEventLoop]) -> None:
        self.loop_factory = loop_factory

    def __call__(self, scenario: Coroutine[Any, Any, T]) -> T:
        complaints: list[str] = []
        with asyncio.Runner(loop_factory=self.loop_factory) as runner:
            runner.get_loop().set_exception_handler(lambda _, context: complaints.append(repr(context)))
            result = runner.run(within_deadline(scenario))
        assert not complaints, complaints
        return result


@pytest.fixture(scope="module", params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Run:
    return Run(uvloop.new_event_loop if request.param == "uvloop" else asyncio.new_event_loop)
