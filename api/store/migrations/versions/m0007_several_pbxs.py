"""Trunks of several PBXs."""

import sqlalchemy as sa
from alembic import op

revision = "0.7.0"
down_revision = "0.2.0"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add which PBX has each trunk."""
    op.add_column("trunks", sa.Column("pbx", sa.String(63)))
