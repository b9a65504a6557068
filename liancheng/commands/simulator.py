"""`liancheng simulator`: the stand-ins for the receivers."""

from __future__ import annotations

from services.simulator.service import SUMMARY, main

run = main

__all__ = ["SUMMARY", "run"]
