"""Makes the secrets of docker-compose.yml, one file each: `make compose-secrets`. Needs nothing but Python.

What is there already is kept, so it may run any number of times; delete a file to have it made anew. To
rotate the password of a database role: delete its URL, run this, then
`docker compose up --detach --force-recreate` (migrate sets it). The data key must not be lost, and PostgreSQL
keeps the superuser's password of its first start.
"""

from __future__ import annotations

import base64
import json
import os
import sys
import tomllib
from pathlib import Path
from secrets import token_bytes, token_urlsafe
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "deploy" / "secrets"
DESTINATIONS = ROOT / "deploy" / "destinations.toml"
DATABASE = "postgres:5432/liancheng"
ROLES = ("migrator", "broker", "publisher", "api")
KEY_BYTES = 32  # of the data key (AES-256), and of signing secrets (Standard Webhooks: 24 to 64)

# The folder keeps other users of this machine out. Its files are mounted one by one into containers that run
# as users of their own, and their modes are all that lets those read them: Compose can't change an owner.
FOLDER_MODE = 0o700
FILE_MODE = 0o444


def signing_secrets() -> dict[str, str]:
    """Destination's code -> name of the secret that it signs with."""
    entries = tomllib.loads(DESTINATIONS.read_text("utf-8"))["destinations"]
    return {entry["code"]: entry["secret_env"].lower() for entry in entries}


def fresh() -> dict[str, str]:
    """A new value for every secret that is random. Token alphabets need no escaping in a URL."""
    values = {
        f"liancheng_{role}_database_url": f"postgresql://liancheng_{role}:{token_urlsafe(32)}@{DATABASE}"
        for role in ROLES
    }
    values["postgres_password"] = token_urlsafe(32)
    values["liancheng_data_key"] = base64.b64encode(token_bytes(KEY_BYTES)).decode()
    values["liancheng_metrics_token"] = token_urlsafe(32)
    values["liancheng_simulator_admin_token"] = token_urlsafe(32)
    for name in signing_secrets().values():
        values[name] = f"whsec_{base64.b64encode(token_bytes(KEY_BYTES)).decode()}"
    return values


def derived(values: Mapping[str, str]) -> dict[str, str]:
    """The secrets that follow from others."""
    receivers = [{"code": code, "secret": values[name]} for code, name in signing_secrets().items()]
    return {
        "liancheng_superuser_database_url": f"postgresql://postgres:{values['postgres_password']}@{DATABASE}",
        "simulator_receivers": json.dumps(receivers),
    }


def write(file: Path, value: str) -> None:
    """Whole or not at all; a running container keeps the file that it was started with."""
    new = file.with_name(f".{file.name}.{os.getpid()}")
    new.write_text(f"{value}\n", "utf-8")
    new.chmod(FILE_MODE)
    new.replace(file)


def make(folder: Path) -> tuple[list[str], list[str]]:
    """Make what is missing in `folder`, and answer the names that were made and that were kept."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(FOLDER_MODE)
    made, kept, values = [], [], {}
    for name, value in fresh().items():
        file = folder / name
        if file.exists():
            kept.append(name)
            values[name] = file.read_text("utf-8").strip()
        else:
            made.append(name)
            values[name] = value
            write(file, value)
    for name, value in derived(values).items():
        file = folder / name
        if file.exists() and file.read_text("utf-8").strip() == value:
            kept.append(name)
        else:
            made.append(name)
            write(file, value)
    return made, kept


def main(folder: str = "") -> int:
    target = Path(folder) if folder else FOLDER
    made, kept = make(target)
    print(f"{target}: {len(made)} secrets made, {len(kept)} kept")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
