"""Policy as data: code tables, areas, measures, bases, rule versions, and one profile a city."""

from __future__ import annotations
