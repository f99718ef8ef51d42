"""Who answered an attempt, and what was said of that before somebody corrected it."""

import sqlalchemy as sa
from alembic import op

revision = "0.2.1"
down_revision = "0.2.0"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add both to the attempts."""
    op.add_column("attempts", sa.Column("answerer", sa.JSON(none_as_null=True)))
    op.add_column("attempts", sa.Column("found_answered_by", sa.String(16)))
