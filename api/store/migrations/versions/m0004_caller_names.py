"""Numbers that are shown with a name."""

import sqlalchemy as sa
from alembic import op

revision = "m0004"
down_revision = "0.2.0"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the name that is shown beside a caller number."""
    op.add_column("numbers", sa.Column("caller_name", sa.Text()))
