"""Prints the part of requirements.lock that one purpose needs here: `runtime` (what the product imports) or
`build` (what makes its wheel). The lock also holds the tests' and the embedded servers' packages.

For image builds: needs nothing but Python and its pip, which resolves for this interpreter and platform with
the lock as constraints. What is printed are the lock's own lines, hashes included, for
`pip install --no-deps --require-hashes`.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any


def normalised(name: str) -> str:
    """A project's name as the lock writes it (PyPA specification "Names and normalization")."""
    return re.sub(r"[-_.]+", "-", name).lower()


def locked_blocks(lock: str) -> dict[str, str]:
    """Name -> its lines of the lock; one name may have several pins with different markers."""
    blocks: dict[str, str] = {}
    for block in re.split(r"^(?=\S)", lock, flags=re.MULTILINE):
        if pin := re.match(r"([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==", block):
            name = normalised(pin[1])
            blocks[name] = blocks.get(name, "") + block
    return blocks


def wanted(project: dict[str, Any], purpose: str) -> list[str]:
    requirements: list[str] = {
        "runtime": project["project"]["dependencies"],
        "build": project["build-system"]["requires"],
    }[purpose]
    return requirements


def pins(lock: str) -> str:
    """The lock without its hashes: with hashes among the constraints, pip would ask that all be pinned."""
    return "".join(line.removesuffix("\\") + "\n" for line in lock.splitlines() if line[:1].isalnum())


def resolved(requirements: list[str], constraints: str) -> list[str]:
    """Names of all packages that `requirements` need on this interpreter. CalledProcessError if none fit."""
    with tempfile.TemporaryDirectory() as folder:
        report, pinned = Path(folder) / "report.json", Path(folder) / "constraints.txt"
        pinned.write_text(constraints)
        options = ["--dry-run", "--ignore-installed", "--quiet", "--only-binary", ":all:"]
        pip = [sys.executable, "-m", "pip", "install", *options, "--report", str(report), "-c", str(pinned)]
        subprocess.run([*pip, *requirements], check=True)
        installs = json.loads(report.read_text())["install"]
    return sorted(normalised(entry["metadata"]["name"]) for entry in installs)


def main(purpose: str, folder: str = ".") -> int:
    lock = (Path(folder) / "requirements.lock").read_text("utf-8")
    project = tomllib.loads((Path(folder) / "pyproject.toml").read_text("utf-8"))
    blocks = locked_blocks(lock)
    names = resolved(wanted(project, purpose), pins(lock))
    if missing := [name for name in names if name not in blocks]:
        sys.exit(f"tools/lock_subset.py: not in requirements.lock: {', '.join(missing)}")
    sys.stdout.write("".join(blocks[name] for name in names))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
