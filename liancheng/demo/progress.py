"""What a person sees while the demo runs: steps that begin and end, and lines in between."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NamedTuple, Self

from rich.console import Console
from rich.markup import escape
from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from liancheng.embedded.jars import KAFKA_VERSION

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

PLAIN_WIDTH: Final = 128
"""Columns where there is no terminal to ask: the tables fit, and so do they into a CI log."""
STEPS: Final = {
    "postgres": ("数据库", "PostgreSQL 18"),
    "kafka": ("事件总线", f"Apache Kafka {KAFKA_VERSION}"),
    "mock_kafka": ("事件总线（替代）", "librdkafka's in-process broker"),
    "migrate": ("建表与角色", "roles and tables"),
    "simulator": ("模拟接收方", "simulated receivers"),
    "broker": ("联惩处理", "broker and API"),
    "publisher": ("推送", "publisher"),
    "stop": ("停止", "stopping"),
}
"""Step → (中文, English)."""


class Step(NamedTuple):
    task: TaskID
    label: str


class Display:
    """On a terminal a live list of the steps under way; elsewhere one line when a step is done.

    Steps may be entered and left in any thread.
    """

    def __init__(self, *, to_stderr: bool, started: float) -> None:
        """`started`: the monotonic time that seconds are counted from."""
        self.console = Console(stderr=to_stderr, highlight=False)
        if not self.console.is_terminal:
            self.console = Console(stderr=to_stderr, highlight=False, width=PLAIN_WIDTH)
        self._started = started
        self._live = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
            console=self.console,
            transient=True,
            disable=not self.console.is_terminal,
        )

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._started

    def say(self, markup: str) -> None:
        """A line above the live list, after the seconds since the start."""
        self._live.console.print(f"[dim]{self.seconds:6.1f} s[/dim]  {markup}", soft_wrap=True)

    def begin(self, name: str) -> Step:
        """Show a step as under way."""
        zh, en = STEPS[name]
        label = f"{zh} [dim]{escape(en)}[/dim]"
        return Step(self._live.add_task(label, total=None), label)

    def done(self, step: Step) -> None:
        """Show it as done."""
        self._live.remove_task(step.task)
        self.say(f"[green]✓[/green] {step.label}")

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """`begin` and `done`; what fails is told by who raises it."""
        step = self.begin(name)
        yield
        self.done(step)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()
