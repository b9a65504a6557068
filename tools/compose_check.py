"""`make compose-check`: brings docker-compose.yml up for real, sends worked events through it, stops it, and
prints what was checked.

Exit code 0: all held. 1: something did not. 77: no Docker engine with Compose answers, nothing was checked.
The stack has a name, ports, secrets and volumes of its own, and is removed at the end; `--keep` leaves it up.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass, field
from http import HTTPStatus
from itertools import chain
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tools import compose_secrets
from tools.compose_confinement import check_confinement
from tools.compose_path import awaited, check_after_restart, check_path, received
from tools.compose_stack import (
    BUILD_SECONDS,
    UP_SECONDS,
    Container,
    NoEngineError,
    Stack,
    StackError,
    find_engine,
    get,
    say,
)

NO_ENGINE = 77  # what automake's test driver calls "skipped"
RUNNING = {"postgres": 1, "kafka": 1, "broker": 2, "publisher": 2, "simulator": 1}
PARTITIONS = 6  # that the broker makes of the events topic
# A JVM that SIGTERM ends in good order still exits with 128 + 15.
CLEAN_EXITS = {"kafka": {0, 143}}


@dataclass
class Findings:
    """What was checked, in order."""

    rows: list[tuple[str, str, bool]] = field(default_factory=list)
    started: float = field(default_factory=time.monotonic)

    def add(self, what: str, found: object, holds: bool) -> None:
        self.rows.append((what, str(found), holds))
        say(f"{time.monotonic() - self.started:6.1f} s  {'ok  ' if holds else 'FAIL'}  {what}: {found}")

    def all_hold(self) -> bool:
        return bool(self.rows) and all(holds for _, _, holds in self.rows)

    def show(self) -> None:
        table = Table("checked", "found", "", title="docker-compose.yml, brought up for real")
        for what, found, holds in self.rows:
            table.add_row(what, found, "[green]✓[/]" if holds else "[red]✗[/]")
        Console(width=None if sys.stdout.isatty() else 110).print(table)


def of(containers: list[Container], service: str) -> list[Container]:
    return [one for one in containers if one.service == service]


def check_health(stack: Stack, findings: Findings) -> list[Container]:
    containers = stack.containers()
    for service, number in RUNNING.items():
        status = [one.status for one in of(containers, service)]
        findings.add(f"{service} ×{number} healthy", ", ".join(status), status == ["healthy"] * number)
    codes = [one.exit_code for one in of(containers, "migrate")]
    findings.add("migrate is done", f"exit code {codes}", codes == [0])
    restarts = sum(one.restarts for one in containers)
    findings.add("nothing had to be restarted", f"{restarts} restarts", restarts == 0)
    return containers


def check_readiness(stack: Stack, containers: list[Container], findings: Findings) -> list[str]:
    """The API of each broker from outside; the brokers' addresses."""
    addresses = [address for one in of(containers, "broker") for address in one.published(8080)]
    urls = [f"http://{host}:{port}" for host, port in addresses]
    loopback = len(urls) == RUNNING["broker"] and {host for host, _ in addresses} == {"127.0.0.1"}
    findings.add("an API port for each broker, on 127.0.0.1 alone", ", ".join(urls), loopback)

    def assigned() -> list[list[str]]:
        """Partitions of the events topic by broker, of those that are ready."""
        answers = [get(f"{url}/readyz") for url in urls]
        return [sorted(body["broker"]["assignment"]) for status, body in answers if status == HTTPStatus.OK]

    def shared(partitions: list[list[str]]) -> bool:
        every = [str(number) for number in range(PARTITIONS)]
        return len(partitions) == len(urls) and all(partitions) and sorted(chain(*partitions)) == every

    partitions = awaited(assigned, shared)
    findings.add(
        "brokers are ready, each partition is read by one",
        " | ".join(",".join(its) for its in partitions),
        shared(partitions),
    )
    status, _ = get(f"http://127.0.0.1:{stack.simulator_port}/readyz")
    findings.add("the receivers are ready, on 127.0.0.1", f"status {status}", status == HTTPStatus.OK)
    return urls


def check_stop(stack: Stack, findings: Findings) -> None:
    started = time.monotonic()
    stack.compose("stop", seconds=UP_SECONDS)
    took = time.monotonic() - started
    containers = stack.containers()
    unclean = [
        one.service
        for one in containers
        if one.status != "exited" or one.exit_code not in CLEAN_EXITS.get(one.service, {0})
    ]
    codes = ", ".join(f"{one.service} {one.exit_code}" for one in containers)
    findings.add(f"all stopped by themselves in {took:.1f} s", f"exit codes: {codes}", not unclean)
    killed = [one.service for one in containers if one.out_of_memory]
    findings.add("none ran out of memory", ", ".join(killed) or "none", not killed)


def check_second_start(stack: Stack, findings: Findings) -> None:
    """On what the first left in the volumes."""
    before = received(stack)
    check_stop(stack, findings)
    stack.compose("up", "--detach", "--wait", "--wait-timeout", str(UP_SECONDS), seconds=UP_SECONDS + 30)
    status = [one.status for one in stack.containers() if one.service != "migrate"]
    findings.add("up again on the same volumes", ", ".join(status), set(status) == {"healthy"})
    check_after_restart(stack, before, findings)


def check(stack: Stack, folder: Path, findings: Findings) -> None:
    say("Building the image ...")
    stack.compose("build", seconds=BUILD_SECONDS)
    say("Starting the stack ...")
    stack.compose("up", "--detach", "--wait", "--wait-timeout", str(UP_SECONDS), seconds=UP_SECONDS + 30)
    containers = check_health(stack, findings)
    check_confinement(stack, containers, folder, findings)
    urls = check_readiness(stack, containers, findings)
    check_path(stack, [one.id for one in of(containers, "publisher")], urls, findings)
    check_second_start(stack, findings)
    check_stop(stack, findings)


def clear(stack: Stack, findings: Findings) -> None:
    stack.compose("down", "--volumes", "--timeout", "30")
    left = stack.left_behind()
    findings.add("nothing is left behind", ", ".join(left) or "nothing", not left)


def main() -> int:
    parser = argparse.ArgumentParser(prog="compose_check", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="leave the stack up, and say its name")
    keep = parser.parse_args().keep
    try:
        say(find_engine())
    except NoEngineError as error:
        say(f"compose-check: {error}. Nothing was checked.")
        return NO_ENGINE
    findings = Findings()
    folder = Path(tempfile.mkdtemp(prefix="liancheng-check-"))
    compose_secrets.make(folder)
    stack = Stack(folder)
    try:
        check(stack, folder, findings)
    except StackError as error:
        findings.add("the check came to its end", str(error).splitlines()[0], holds=False)
        say(f"{error}\n{stack.compose('logs', '--no-color', '--tail', '40')}")
    finally:
        if keep:
            say(f"Left as it is: docker compose --project-name {stack.project} …; secrets in {folder}")
        else:
            clear(stack, findings)
            shutil.rmtree(folder)
    findings.show()
    return 0 if findings.all_hold() else 1


if __name__ == "__main__":
    sys.exit(main())
