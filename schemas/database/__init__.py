"""The database: its tables as classes, its roles, and the means to bring it to the current revision."""

from __future__ import annotations
