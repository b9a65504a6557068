"""A stack of docker-compose.yml under a name, with ports, secrets and volumes of its own."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SUBNET = "10.90.87.0/24"  # beside the file's own, so that a stack that is up is not in the way
COMMAND_SECONDS = 120  # for one command that is not a build or a wait
UP_SECONDS = 240  # until all is healthy; a slow machine with cold images takes less than half
BUILD_SECONDS = 1200  # all wheels through a slow mirror
HTTP_SECONDS = 5


class StackError(Exception):
    """A command failed; the message has the end of what it said."""


class NoEngineError(Exception):
    """No engine, or none that has Compose; the message says which."""


@dataclass(frozen=True)
class Container:
    """One container as the engine sees it."""

    id: str
    service: str
    inspected: dict[str, Any]

    @property
    def status(self) -> str:
        """`healthy`, `unhealthy`, `starting` of one that runs; `exited` and so on of one that does not."""
        state: dict[str, Any] = self.inspected["State"]
        health = state.get("Health", {}).get("Status")
        return str(health if health and state["Status"] == "running" else state["Status"])

    @property
    def exit_code(self) -> int:
        return int(self.inspected["State"]["ExitCode"])

    @property
    def restarts(self) -> int:
        return int(self.inspected["RestartCount"])

    @property
    def out_of_memory(self) -> bool:
        return bool(self.inspected["State"]["OOMKilled"])

    def published(self, port: int) -> list[tuple[str, int]]:
        """Addresses on the host that lead to `port`; a running container's."""
        bound = self.inspected["NetworkSettings"]["Ports"].get(f"{port}/tcp") or []
        return [(entry["HostIp"], int(entry["HostPort"])) for entry in bound]


def find_engine() -> str:
    """What answers, in words. NoEngineError if nothing that this could run on does."""
    for what, command in (
        ("engine", ["docker", "version", "--format", "{{.Server.Version}}"]),
        ("Compose", ["docker", "compose", "version", "--short"]),
    ):
        try:
            answer = subprocess.run(
                command, capture_output=True, text=True, check=False, timeout=COMMAND_SECONDS
            )
        except FileNotFoundError:
            raise NoEngineError("there is no docker command") from None
        except subprocess.TimeoutExpired:
            raise NoEngineError(f"{' '.join(command)} does not answer") from None
        if answer.returncode:
            said = (answer.stderr.strip() or answer.stdout.strip()).splitlines() or ["no reason given"]
            raise NoEngineError(f"no Docker {what} answers: {said[-1]}")
        if what == "engine":
            engine = answer.stdout.strip()
    return f"Docker Engine {engine}, Compose {answer.stdout.strip()}"


def free_ports() -> tuple[str, int]:
    """A range of two ports in a row for the brokers, and one for the simulator. Free now, and soon taken."""
    while True:
        first = 20_000 + secrets.randbelow(10_000)
        try:
            for port in range(first, first + 3):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
        except OSError:
            continue
        return f"{first}-{first + 1}", first + 2


class Stack:
    """`folder` holds its secrets."""

    def __init__(self, folder: Path) -> None:
        self.project = f"liancheng-check-{secrets.token_hex(3)}"
        api_ports, self.simulator_port = free_ports()
        self._environment = os.environ | {
            "SECRETS_DIR": str(folder),
            "API_PORTS": api_ports,
            "SIMULATOR_PORT": str(self.simulator_port),
            "BACKEND_SUBNET": SUBNET,
        }

    def compose(self, *arguments: str, given: str = "", seconds: float = COMMAND_SECONDS) -> str:
        """`docker compose ARGUMENTS`: its standard output. StackError if it fails or takes longer."""
        command = ["docker", "compose", "--project-name", self.project, "--progress", "plain", *arguments]
        return run(command, given, seconds, self._environment)

    def containers(self) -> list[Container]:
        """All of them, in the order of their services, those that ended too."""
        ids = self.compose("ps", "--all", "--quiet").split()
        inspected = json.loads(run(["docker", "inspect", *ids])) if ids else []
        label = "com.docker.compose.service"
        found = [Container(one["Id"], one["Config"]["Labels"][label], one) for one in inspected]
        return sorted(found, key=lambda one: (one.service, one.inspected["Name"]))

    def left_behind(self) -> list[str]:
        """Names of containers, volumes and networks of this project."""
        label = f"label=com.docker.compose.project={self.project}"
        kinds = (
            ["ps", "--all", "--format", "{{.Names}}"],
            ["volume", "ls", "--quiet"],
            ["network", "ls", "--format", "{{.Name}}"],
        )
        return [name for kind in kinds for name in run(["docker", *kind, "--filter", label]).split()]

    def query(self, statement: str) -> list[list[str]]:
        """Rows of a query, by the superuser on the server itself."""
        psql = ("psql", "--username=postgres", "--dbname=liancheng", "--no-align", "--tuples-only")
        answer = self.compose("exec", "-T", "postgres", *psql, "--command", statement)
        return [line.split("|") for line in answer.splitlines()]


def run(
    command: list[str],
    given: str = "",
    seconds: float = COMMAND_SECONDS,
    environment: dict[str, str] | None = None,
) -> str:
    """Standard output of a command. StackError if it fails or takes longer."""
    shown = " ".join(command)
    try:
        done = subprocess.run(
            command,
            input=given,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
            cwd=ROOT,
            env=environment,
        )
    except subprocess.TimeoutExpired:
        raise StackError(f"{shown}: not done after {seconds:g} s") from None
    if done.returncode:
        said = "\n".join((done.stdout + done.stderr).strip().splitlines()[-30:])
        raise StackError(f"{shown}: exit code {done.returncode}\n{said}")
    return done.stdout


def get(url: str, token: str | None = None) -> tuple[int, Any]:
    """Status and JSON body, of an error too; (0, reason) when nobody answers in JSON."""
    headers = {"authorization": f"Bearer {token}"} if token else {}
    request = urllib.request.Request(url, headers=headers)  # noqa: S310  always http://127.0.0.1
    try:
        with urllib.request.urlopen(request, timeout=HTTP_SECONDS) as answer:  # noqa: S310
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)
    except (OSError, ValueError) as error:
        return 0, str(error)


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
