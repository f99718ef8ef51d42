"""How calls are recorded."""

import sqlalchemy as sa
from alembic import op

revision = "0.5.0"
down_revision = "0.2.0"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add announcement, objection and pauses to calls and attempts."""
    op.add_column("attempts", sa.Column("recording", sa.JSON()))
    op.add_column("calls", sa.Column("recording", sa.JSON()))
    op.add_column("calls", sa.Column("recording_wish", sa.JSON()))
