"""`liancheng`: the one console command, a thin dispatcher over `liancheng.commands`."""

from __future__ import annotations

import importlib
import sys
from importlib.metadata import version

# Name -> (Chinese name, what it does). Modules load only when asked for, so that --help is quick.
COMMANDS = {
    "demo": ("演示", "run the whole path on an embedded PostgreSQL and Kafka, and show it"),
    "broker": ("联惩处理", "turn Kafka events into records and serve the API"),
    "publisher": ("推送", "push every version to the destinations that are owed it"),
    "simulator": ("模拟接收方", "stand in for the nine receivers, with faults on demand"),
    "emit": ("发送事件", "send events from a file to Kafka"),
    "migrate": ("数据库迁移", "bring the database to the newest revision"),
    "destination": ("推送目的地", "list, load and show destinations"),
    "deadletter": ("死信", "list, show and replay refused messages"),
    "key": ("密钥", "create, list, rotate and revoke API keys"),
    "rebuild": ("重建", "rebuild projections from feed and ledger, or compare them"),
}


def usage() -> str:
    lines = ["Liancheng (联惩): the joint-punishment broker.", "", "usage: liancheng COMMAND [OPTIONS]", ""]
    width = max(len(name) for name in COMMANDS)
    lines += [f"  {name:<{width}}  {zh}: {en}" for name, (zh, en) in COMMANDS.items()]
    lines += ["", "liancheng COMMAND --help explains its settings; liancheng --version says the version."]
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> int:
    """Run one subcommand; exit code 2 for a wrong command line."""
    arguments = sys.argv[1:] if argv is None else argv
    if not arguments or arguments[0] in {"-h", "--help", "help"}:
        print(usage())
        return 0 if arguments else 2
    name, rest = arguments[0], arguments[1:]
    if name == "--version":
        print(f"liancheng {version('liancheng')}")
        return 0
    if name not in COMMANDS:
        print(f"liancheng: no command {name!r}\n\n{usage()}", file=sys.stderr)
        return 2
    module = importlib.import_module(f"liancheng.commands.{name}")
    code: int = module.run(rest)
    return code


if __name__ == "__main__":
    sys.exit(main())
