"""Part of the compose check: what the containers may do, seen from inside them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Protocol

from tools.compose_stack import StackError, run

if TYPE_CHECKING:
    from pathlib import Path

    from tools.compose_stack import Container, Stack


class Findings(Protocol):
    """Takes what was found."""

    def add(self, what: str, found: object, holds: bool) -> None: ...


_PROBE = "id -u; grep -E '^(CapEff|NoNewPrivs):' /proc/self/status; touch /probe 2>&1 || true"


def check_confinement(stack: Stack, containers: list[Container], folder: Path, findings: Findings) -> None:
    running = [one for one in containers if one.service != "migrate"]
    said = {one.service: run(["docker", "exec", one.id, "sh", "-c", _PROBE]) for one in running}
    users = {service: answer.split()[0] for service, answer in said.items()}
    findings.add(
        "no container runs as root",
        ", ".join(f"{service} {user}" for service, user in users.items()),
        all(user != "0" for user in users.values()),
    )
    for what, mark in (
        ("none can write its root", "Read-only file system"),
        ("none has a capability", "CapEff:\t0000000000000000"),
        ("none can gain privileges", "NoNewPrivs:\t1"),
    ):
        others = [service for service, answer in said.items() if mark not in answer]
        findings.add(what, ", ".join(others) or "none", not others)

    limited = [one.inspected["HostConfig"] for one in containers]
    unlimited = [
        one.service
        for one, limits in zip(containers, limited, strict=True)
        if not (limits["Memory"] and limits["NanoCpus"] and limits["PidsLimit"])
    ]
    findings.add("memory, CPU and processes are limited", ", ".join(unlimited) or "all", not unlimited)

    secrets = [value.strip() for file in folder.iterdir() if len(value := file.read_text()) > 1]
    shown = json.dumps([one.inspected for one in containers])
    bare = sum(json.dumps(secret)[1:-1] in shown for secret in secrets)
    findings.add("no secret shows in the containers' settings", f"{bare} of {len(secrets)}", bare == 0)
    findings.add("the backend network has no way out", *_way_out(stack))


def _way_out(stack: Stack) -> tuple[str, bool]:
    """A publisher, on that network alone, finds no route to a public address (TEST-NET-1, RFC 5737)."""
    dial = "import socket; socket.create_connection(('192.0.2.1', 80), timeout=3)"
    try:
        stack.compose("exec", "-T", "publisher", "python", "-c", dial)
    except StackError as error:
        reason = str(error).splitlines()[-1]
        return reason, "Network is unreachable" in reason
    return "a connection", False
