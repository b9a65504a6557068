"""The demo: worked events through the whole stack, held against what must come of them."""

from __future__ import annotations
