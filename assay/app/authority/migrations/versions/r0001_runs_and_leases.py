"""Which run a key names, and who holds its lease."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make both tables."""
    op.create_table(
        "sr_run_equivalence",
        sa.Column("run_equivalence_key", sa.Text, primary_key=True),
        sa.Column("run_id", sa.Text, nullable=False),
        sa.Column("intent_fingerprint", sa.Text, nullable=False),
        sa.Column("first_seen_at", sa.BigInteger, nullable=False),
        sa.Column("last_seen_at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "sr_run_leases",
        sa.Column("run_id", sa.Text, primary_key=True),
        sa.Column("owner_id", sa.Text, nullable=False),
        sa.Column("lease_token", sa.Text, nullable=False),
        sa.Column("fence", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
    )


def downgrade() -> None:
    """Refused: a schema never goes back."""
    remedy = "Restore a copy of the database instead."
    raise Stop(Reason.DATABASE_TOO_NEW, "the schema of the Scenario Runner does not go back", where=revision, remedy=remedy)
