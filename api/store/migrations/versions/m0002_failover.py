"""Trunks that stand in for one another, and rest when they fail."""

import sqlalchemy as sa
from alembic import op

revision = "0.2.0"
down_revision = "0.1.0"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add what the dialer knows of each trunk."""
    for column in (
        sa.Column("priority", sa.Integer(), server_default="10", nullable=False),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        sa.Column("resting_until", sa.Double()),
        sa.Column("rest_reason", sa.Text()),
    ):
        op.add_column("trunks", column)
