"""The wire: how a delivery leaves. `sender.py` is the interface, `docs/architecture.md` the reason."""

from __future__ import annotations
