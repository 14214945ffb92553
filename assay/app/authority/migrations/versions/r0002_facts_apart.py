"""When a key was asked for last moves; what it means does not. The two stand apart, so that nobody needs to update a fact."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Move the column into a table of its own."""
    op.create_table(
        "sr_key_last_asked",
        sa.Column("run_equivalence_key", sa.Text, primary_key=True),
        sa.Column("last_asked_at", sa.BigInteger, nullable=False),
    )
    op.execute("INSERT INTO sr_key_last_asked SELECT run_equivalence_key, last_seen_at FROM sr_run_equivalence")
    op.drop_column("sr_run_equivalence", "last_seen_at")


def downgrade() -> None:
    """Refused: a schema never goes back."""
    remedy = "Restore a copy of the database instead."
    raise Stop(Reason.DATABASE_TOO_NEW, "the schema of the Scenario Runner does not go back", where=revision, remedy=remedy)
