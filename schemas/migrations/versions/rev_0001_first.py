"""The first revision: intake, records and feed, deliveries and ledger, access.

Revision ID: 0001
"""

from __future__ import annotations

from schemas.migrations.script import run_script

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_script("0001_first.up.sql")


def downgrade() -> None:
    run_script("0001_first.down.sql")
