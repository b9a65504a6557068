"""Tells the story while it happens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.markup import escape

from liancheng.demo.words import findings, short, term

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from liancheng.demo.expectations import ExpectedEvent
    from liancheng.demo.observation import Arrival
    from liancheng.demo.progress import Display

_COLOURS = {"ACCEPTED": "green", "REFUSED": "red"}


class Narrator:
    """`names`: destination → 中文."""

    def __init__(self, display: Display, names: Mapping[str, str]) -> None:
        self._display = display
        self._names = names
        self._pushed: list[tuple[str, float]] = []

    def emits(self, events: Sequence[ExpectedEvent]) -> None:
        self._display.say(
            f"[bold]发送事件[/bold] emit {len(events)}: {', '.join(event.id for event in events)}"
        )

    def judged(self, verdict: Mapping[str, Any]) -> None:
        colour = _COLOURS.get(verdict["verdict"], "yellow")
        what = f"[{colour}]{term('verdicts', verdict['verdict'])}[/{colour}]"
        record = f" → {short(verdict['record_uid'])} v{verdict['version']}" if verdict["record_uid"] else ""
        codes = "；".join(findings([*verdict["codes"], *verdict["warnings"]]))
        self._display.say(
            f"  判定 {escape(verdict['event']['id'] or '?'):<10} {what}{record}  [dim]{escape(codes)}[/dim]"
        )

    def arrived(self, arrival: Arrival, seconds: float) -> None:
        """A withdrawal is told one by one, a listing only in sum."""
        if arrival.op == "RETRACT":
            name = f"{self._names.get(arrival.receiver, '')} [dim]{arrival.receiver}[/dim]"
            uid = short(arrival.record_uid or "")
            self._display.say(f"  [magenta]撤回[/magenta] {uid} v{arrival.version} @ {name}, {seconds:.2f} s")
        else:
            self._pushed.append((arrival.receiver, seconds))

    def settled(self, backlog: Mapping[str, tuple[int, int]]) -> None:
        if self._pushed:
            receivers = {receiver for receiver, _ in self._pushed}
            last = max(seconds for _, seconds in self._pushed)
            self._display.say(
                f"  推送 {len(self._pushed)} pushes, {len(receivers)} receivers, the last after {last:.2f} s"
            )
        self._pushed.clear()
        for code, (behind, parked) in backlog.items():
            self._display.say(
                f"  [red]未送达[/red] {code}: {behind} feed rows behind, {parked} deliveries parked"
            )
