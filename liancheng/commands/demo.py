"""`liancheng demo`: the whole path on this machine, and whether what must come of it came."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from services.runtime.settings import parser_for, settings_from

if TYPE_CHECKING:
    from collections.abc import Sequence

SUMMARY = """Start PostgreSQL, Kafka, broker, publisher and nine simulated receivers, emit worked events, and
show what became of them. Exit code 0 only if every expectation held. 演示：从事件到推送与撤回的全过程。"""
_FAILED = 1
_INTERRUPTED = 130


def run(argv: Sequence[str]) -> int:
    from liancheng.demo.expectations import ExpectationsError, read_expectations  # noqa: PLC0415 - for --help
    from liancheng.demo.settings import DemoSettings  # noqa: PLC0415

    parser = parser_for(DemoSettings, "liancheng demo", SUMMARY)
    parser.add_argument("--once", action="store_true", help="end by itself after the report")
    parser.add_argument(
        "--json", action="store_true", help="the report as one JSON object on standard output"
    )
    given = vars(parser.parse_args(argv))
    once, to_json = given.pop("once"), given.pop("json")
    settings = settings_from(DemoSettings, parser, {k: v for k, v in given.items() if v is not None})
    try:
        from liancheng.demo.run import Demo  # noqa: PLC0415 - the embedded stack is an extra

        return Demo(settings, read_expectations(settings.expectations), once=once, to_json=to_json).run()
    except KeyboardInterrupt:  # while it still loads; later `Demo` takes it
        return _INTERRUPTED
    except ModuleNotFoundError as error:
        print(f"liancheng demo: {error}; install liancheng[embedded]", file=sys.stderr)
    except (RuntimeError, OSError, ExpectationsError) as error:
        print(f"liancheng demo: {type(error).__name__}: {error}", file=sys.stderr)
    return _FAILED
