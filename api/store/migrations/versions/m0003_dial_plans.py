"""Trunks with a dial plan of their own."""

import sqlalchemy as sa
from alembic import op

revision = "0.3.0"
down_revision = "0.2.0"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add how the PBX is told to dial over each trunk."""
    op.add_column("trunks", sa.Column("dial_string", sa.Text()))
    for name in ("number_rules", "caller_rules"):
        rules = sa.Column(name, sa.JSON(), server_default="[]", nullable=False)
        op.add_column("trunks", rules)
