"""Alembic's environment: the connection of `schemas.database.migrate`, a transaction for each revision."""

from __future__ import annotations

from alembic import context

from schemas.database.metadata import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    transaction_per_migration=True,
    compare_type=True,
    compare_server_default=True,
)
with context.begin_transaction():
    context.run_migrations()
