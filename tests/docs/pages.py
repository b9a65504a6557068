"""The documents as data: code, links, headings, tables."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
README, README_ZH = "README.md", "README.zh-CN.md"
NAMES = (
    README,
    README_ZH,
    "CONTRIBUTING.md",
    *sorted(f"docs/{p.name}" for p in (ROOT / "docs").glob("*.md")),
)

_FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^(#+) (.+)$", re.MULTILINE)
_TABLE = re.compile(r"(?:^\|.*\|$\n?)+", re.MULTILINE)


class Heading(NamedTuple):
    level: int
    text: str

    @property
    def anchor(self) -> str:
        """As GitHub makes it: lower case, punctuation dropped, blanks to hyphens."""
        plain = re.sub(r"[^\w\- ]", "", self.text.replace("`", "").lower())
        return plain.strip().replace(" ", "-")


@dataclass(frozen=True)
class Page:
    name: str

    @cached_property
    def text(self) -> str:
        return (ROOT / self.name).read_text("utf-8")

    @cached_property
    def fenced(self) -> list[tuple[str, str]]:
        """Language and content of each code block."""
        return _FENCED.findall(self.text)

    @cached_property
    def prose(self) -> str:
        """Everything but the code blocks."""
        return _FENCED.sub("", self.text)

    @cached_property
    def inline(self) -> list[str]:
        return _INLINE.findall(self.prose)

    @cached_property
    def shell(self) -> list[str]:
        """The lines of all shell blocks, continued ones joined."""
        blocks = [content.replace("\\\n", " ") for language, content in self.fenced if language == "sh"]
        return [line for block in blocks for line in block.splitlines() if line.strip()]

    @cached_property
    def commands(self) -> list[str]:
        """What a reader might type: shell lines, and inline code. A container's command is our own."""
        typed = [*self.shell, *self.inline]
        return [line.replace("docker compose run --rm admin ", "liancheng ") for line in typed]

    @cached_property
    def links(self) -> list[str]:
        return _LINK.findall(self.prose)

    @cached_property
    def headings(self) -> list[Heading]:
        return [Heading(len(marks), text) for marks, text in _HEADING.findall(self.prose)]

    @cached_property
    def tables(self) -> list[list[list[str]]]:
        """Rows of cells, heading first, the line of dashes left out."""
        found = []
        for block in _TABLE.findall(self.prose):
            rows = [[cell.strip() for cell in row.strip("|").split("|")] for row in block.splitlines()]
            found.append([row for row in rows if set("".join(row)) - set("-: ")])
        return found

    def table(self, first_heading: str) -> list[list[str]]:
        """The rows, without headings, of the one table whose first heading is this."""
        (table,) = (table for table in self.tables if table[0][0] == first_heading)
        return table[1:]


PAGES = {name: Page(name) for name in NAMES}
