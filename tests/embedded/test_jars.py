from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from liancheng.embedded import jars
from tests.embedded.maven_repository import MavenRepository, maven_repository

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOWHERE = "http://127.0.0.1:9/nowhere"


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MavenRepository]:
    """A repository on loopback, and an empty cache."""
    with maven_repository() as served:
        monkeypatch.setenv("LIANCHENG_CACHE", str(tmp_path / "cache"))
        monkeypatch.setenv("LIANCHENG_MAVEN_URL", served.url)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        yield served


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """A folder with all jars that a test may spoil."""
    folder = tmp_path / "jars"
    folder.mkdir()
    for jar in jars.kafka_jars():
        shutil.copy(jar, folder)
    return folder


def test_the_sums_file_names_kafka_and_one_log_binding() -> None:
    names = [jar.name for jar in jars.recorded_jars()]
    assert len(names) == len(set(names)) == 46
    assert {"kafka_2.13-4.3.0.jar", "kafka-clients-4.3.0.jar", "log4j-slf4j-impl-2.25.4.jar"} <= set(names)
    assert all(len(jar.sha256) == 64 for jar in jars.recorded_jars())


def test_a_changed_a_missing_and_an_unexpected_jar_are_all_named(copied: Path) -> None:
    jars.check_folder(copied, jars.recorded_jars())
    with (copied / "kafka-raft-4.3.0.jar").open("ab") as jar:
        jar.write(b"x")
    (copied / "re2j-1.8.jar").unlink()
    (copied / "kafka-clients-3.9.0.jar").touch()
    with pytest.raises(jars.JarMismatchError) as refused:
        jars.check_folder(copied, jars.recorded_jars())
    problems = str(refused.value).splitlines()[1:]
    assert len(problems) == 3
    assert problems[0].endswith("unexpected: kafka-clients-3.9.0.jar")
    assert problems[1].endswith("missing: re2j-1.8.jar")
    assert "kafka-raft-4.3.0.jar: SHA-256 " in problems[2]


def test_a_spoilt_cache_is_refused_not_fetched_again(copied: Path, repository: MavenRepository) -> None:
    jars.kafka_home().mkdir(parents=True)
    (copied / "re2j-1.8.jar").unlink()
    copied.rename(jars.kafka_home() / "jars")
    with pytest.raises(jars.JarMismatchError, match=r"missing: re2j-1.8.jar"):
        jars.kafka_jars()
    assert not repository.requests


def test_two_processes_fetch_into_one_cache_once(repository: MavenRepository) -> None:
    command = [sys.executable, "-m", "liancheng.embedded.jars"]
    both = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)
    ]
    for process in both:
        output, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
        assert output.startswith("46 jars in ")
    assert set(repository.requests.values()) == {1}
    assert len(repository.requests) == 46
    assert not list(jars.kafka_home().rglob("*.partial"))


def test_other_bytes_than_recorded_are_refused(repository: MavenRepository) -> None:
    repository.alter = lambda name, content: content + b"x" if name.startswith("kafka-raft") else content
    with pytest.raises(jars.JarMismatchError, match=r"kafka-raft-4.3.0.jar as fetched has SHA-256"):
        jars.kafka_jars()
    assert not (jars.kafka_home() / "jars").exists()


def test_an_interrupted_fetch_is_taken_up_where_it_ended(
    repository: MavenRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.alter = lambda name, content: b"" if name.startswith("zstd") else content
    with pytest.raises(jars.JarMismatchError):
        jars.kafka_jars()
    repository.alter = lambda _name, content: content
    assert len(jars.kafka_jars()) == 46
    assert [name for name, count in repository.requests.items() if count > 1] == ["zstd-jni-1.5.6-10.jar"]


def test_from_a_warm_cache_neither_network_nor_resolver_is_touched() -> None:
    program = (
        "import sys; from liancheng.embedded.jars import kafka_jars; print(len(kafka_jars()));"
        "print({'jgo', 'requests', 'urllib3'} & set(sys.modules))"
    )
    offline = os.environ | {"LIANCHENG_MAVEN_URL": NOWHERE, "HTTPS_PROXY": NOWHERE, "HTTP_PROXY": NOWHERE}
    answer = subprocess.run(
        [sys.executable, "-c", program], env=offline, capture_output=True, text=True, check=True
    )
    assert answer.stdout.split("\n")[:2] == ["46", "set()"]


def test_an_empty_cache_without_network_says_which_jar_is_not_to_be_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIANCHENG_CACHE", str(tmp_path))
    monkeypatch.setenv("LIANCHENG_MAVEN_URL", NOWHERE)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with pytest.raises(jars.JarsUnavailableError, match=r"cannot fetch .*\.jar: .*127\.0\.0\.1"):
        jars.kafka_jars()
