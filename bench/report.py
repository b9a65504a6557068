"""How a benchmark says what it measured: a table for people, one JSON object for programs."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import dataclass, field


@dataclass
class Report:
    """Rows of (key, what, value, target, floor). `key` names the target and is the member of the JSON."""

    title: str
    rows: list[tuple[str, str, float, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, key: str, what: str, value: float, target: str = "") -> None:
        self.rows.append((key, what, value, target))

    def note(self, text: str) -> None:
        self.notes.append(text)

    def as_json(self) -> str:
        machine = {
            "cores": os.cpu_count(),
            "python": platform.python_version(),
            "machine": platform.machine(),
        }
        values = {key: round(value, 3) for key, _, value, _ in self.rows}
        return json.dumps({"benchmark": self.title, **values, "notes": self.notes, "machine": machine})

    def as_table(self) -> str:
        width = max(len(what) for _, what, _, _ in self.rows)
        lines = [self.title, "=" * len(self.title)]
        for _, what, value, target in self.rows:
            number = f"{value:,.0f}" if value >= 100 else f"{value:,.2f}"
            lines.append(f"{what:<{width}}  {number:>12}  {target}")
        lines += [f"  {note}" for note in self.notes]
        return "\n".join(lines)


def percentile(values: list[float], share: float) -> float:
    """The value below which `share` of the values lie (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
