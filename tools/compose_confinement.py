"""Part of the compose check: what the containers may do, seen from inside them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Protocol

from tools.compose_stack import run

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
    (backend,) = json.loads(run(["docker", "network", "inspect", f"{stack.project}_backend"]))
    networks = {one.service: one.inspected["NetworkSettings"]["Networks"] for one in containers}
    wider = {service for service, its in networks.items() if its.keys() != {backend["Name"]}}
    findings.add(
        "all are on a network without a way out, and alone there except",
        ", ".join(sorted(wider)),
        backend["Internal"] and wider == {"broker", "simulator"},
    )
