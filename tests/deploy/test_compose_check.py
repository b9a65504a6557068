"""tools/compose_check.py where no engine is; with one, `make compose-check` itself is the test."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.deploy.compose_file import ROOT, parsed
from tools import compose_check, compose_path
from tools.compose_stack import Container

if TYPE_CHECKING:
    from pathlib import Path

DOCKER_WITHOUT_ENGINE = """#!/bin/sh
echo 'Cannot connect to the Docker daemon. Is the docker daemon running?' >&2; exit 1
"""
DOCKER_WITHOUT_COMPOSE = """#!/bin/sh
if [ "$1" = version ]; then echo 28.0.0; exit; fi
echo "docker: 'compose' is not a docker command." >&2; exit 1
"""


def outcome(folder: Path) -> tuple[int, str]:
    command = [sys.executable, "-m", "tools.compose_check"]
    environment = os.environ | {"PATH": f"{folder}:/usr/bin:/bin" if any(folder.iterdir()) else str(folder)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    ("docker", "reason"),
    [
        (None, "there is no docker command"),
        (DOCKER_WITHOUT_ENGINE, "no Docker engine answers: Cannot connect to the Docker daemon."),
        (DOCKER_WITHOUT_COMPOSE, "no Docker Compose answers: docker: 'compose' is not a docker command."),
    ],
    ids=["no docker", "no engine", "no Compose"],
)
def test_it_says_why_nothing_was_checked(docker: str | None, reason: str, tmp_path: Path) -> None:
    if docker:
        (tmp_path / "docker").write_text(docker)
        (tmp_path / "docker").chmod(0o755)
    code, said = outcome(tmp_path)
    assert code == compose_check.NO_ENGINE == 77
    assert reason in said
    assert said.strip().endswith("Nothing was checked.")


def test_it_expects_the_services_that_the_file_runs() -> None:
    running = {
        name: service["deploy"].get("replicas", 1)
        for name, service in parsed()["services"].items()
        if "healthcheck" in service
    }
    assert running == compose_check.RUNNING


def test_its_events_are_worked_cases_and_reach_all_receivers() -> None:
    subject = compose_path.subjects()
    assert {*compose_path.LISTINGS, compose_path.REVOCATION} <= subject.keys()
    assert subject[compose_path.REVOCATION] == subject[compose_path.REVOKED_LISTING]
    reached = {receiver for receivers in compose_path.LISTINGS.values() for receiver in receivers}
    assert reached == set(compose_path.RECEIVERS)


def test_one_finding_that_does_not_hold_fails_it(capsys: pytest.CaptureFixture[str]) -> None:
    findings = compose_check.Findings()
    assert not findings.all_hold(), "nothing checked is nothing shown"
    findings.add("the first", "found", holds=True)
    assert findings.all_hold()
    findings.add("the second", "missing", holds=False)
    assert not findings.all_hold()
    findings.show()
    assert "✗" in capsys.readouterr().out


def test_a_container_without_health_check_shows_its_state() -> None:
    state = {"Status": "exited", "ExitCode": 137, "OOMKilled": True}
    container = Container(
        "id", "kafka", {"State": state, "RestartCount": 2, "NetworkSettings": {"Ports": {}}}
    )
    assert (container.status, container.exit_code, container.restarts) == ("exited", 137, 2)
    assert container.out_of_memory
    assert container.published(8080) == []
