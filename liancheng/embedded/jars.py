"""Apache Kafka's jars: fetched once into the user's cache, checked against recorded SHA-256 sums always.

    python -m liancheng.embedded.jars            fetch what is missing, check all
    python -m liancheng.embedded.jars --record   resolve the versions below anew and write the sums file

The sums file names every jar by its path in a Maven repository, so that fetching needs no dependency
resolution, and `sha256sum -c` can read it. `LIANCHENG_MAVEN_URL` names another repository than Maven Central.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from liancheng.embedded.cache import cache_folder, exclusive

KAFKA_VERSION: Final = "4.3.0"
SUMS_FILE: Final = Path(__file__).with_name("kafka-jars.sha256")
_HASHING_THREADS: Final = 2


class JarsUnavailableError(RuntimeError):
    """They are not in the cache and could not be fetched."""


class JarMismatchError(RuntimeError):
    """What is there is not what was recorded. Never to be worked around."""


@dataclass(frozen=True)
class Jar:
    """One line of the sums file."""

    path: PurePosixPath
    """In a Maven repository: group/as/folders/artifact/version/artifact-version.jar."""
    sha256: str

    @property
    def name(self) -> str:
        return self.path.name


def recorded_jars(sums_file: Path = SUMS_FILE) -> list[Jar]:
    """The jars of the sums file, in its order."""
    lines = [line for line in sums_file.read_text().splitlines() if line and not line.startswith("#")]
    return [Jar(PurePosixPath(path), digest) for digest, path in (line.split() for line in lines)]


def kafka_home() -> Path:
    """The folder in the cache that belongs to exactly these sums; jars lie in its `jars/`."""
    return cache_folder() / f"kafka-{KAFKA_VERSION}-{sha256(SUMS_FILE)[:8]}"


def kafka_jars() -> list[Path]:
    """All jars of the broker's class path in the order of their names: fetched if need be, checked always.

    Safe when several processes do it at once. Raises JarsUnavailableError if they can't be fetched,
    JarMismatchError if a jar is missing, unexpected or has another sum.
    """
    jars = recorded_jars()
    folder = kafka_home() / "jars"
    if not folder.is_dir():
        from liancheng.embedded.jars_fetch import fetch  # noqa: PLC0415 - the warm path needs no HTTP client

        with exclusive(folder.parent.with_name(f"{folder.parent.name}.lock")):
            if not folder.is_dir():
                fetch(jars, folder)
    check_folder(folder, jars)
    return sorted(folder / jar.name for jar in jars)


def check_folder(folder: Path, jars: list[Jar]) -> None:
    """Compare a folder with the recorded sums; raises JarMismatchError, which names every difference."""
    found = {path.name for path in folder.iterdir()}
    expected = {jar.name for jar in jars}
    with ThreadPoolExecutor(_HASHING_THREADS) as pool:
        present = [jar for jar in jars if jar.name in found]
        sums = list(pool.map(lambda jar: sha256(folder / jar.name), present))
    problems = [f"unexpected: {name}" for name in sorted(found - expected)]
    problems += [f"missing: {name}" for name in sorted(expected - found)]
    problems += [
        f"{jar.name}: SHA-256 {actual}, recorded {jar.sha256}"
        for jar, actual in zip(present, sums, strict=True)
        if actual != jar.sha256
    ]
    if problems:
        raise JarMismatchError(
            f"{folder} is not what {SUMS_FILE.name} records; delete the folder to fetch it again:\n  "
            + "\n  ".join(problems)
        )


def sha256(file: Path) -> str:
    """Lower-case hex."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m liancheng.embedded.jars", description="Fetch and check Apache Kafka's jars."
    )
    parser.add_argument("--record", action="store_true", help="resolve anew and write the sums file")
    if parser.parse_args().record:
        from liancheng.embedded.jars_record import record  # noqa: PLC0415

        count = record(SUMS_FILE)
        print(f"{SUMS_FILE}: {count} jars")
        return
    try:
        jars = kafka_jars()
    except (RuntimeError, OSError) as error:
        sys.exit(f"error: {error}")
    print(f"{len(jars)} jars in {jars[0].parent}, all as recorded")


if __name__ == "__main__":
    main()
