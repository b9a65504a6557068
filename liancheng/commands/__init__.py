"""The subcommands of `liancheng`: one module each, with `SUMMARY` and `run(argv) -> exit code`."""

from __future__ import annotations
