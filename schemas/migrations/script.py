"""Runs one SQL script of a revision inside the migration's transaction."""

from __future__ import annotations

from pathlib import Path

from alembic import op

SCRIPTS = Path(__file__).parent / "versions"


def run_script(name: str) -> None:
    """Run `versions/<name>`, which may hold many statements.

    Through the driver itself, since prepared statements carry one statement only.
    """
    script = (SCRIPTS / name).read_text("utf-8")
    driver = op.get_bind().connection.dbapi_connection
    if driver is None:
        raise RuntimeError("the migration has no connection")
    driver.run_async(lambda connection: connection.execute(script))
