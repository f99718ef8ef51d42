"""SIP URIs as destinations, and trunks that share calls."""

import sqlalchemy as sa
from alembic import op

revision = "0.4.0.sip"
down_revision = "0.3.0"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add what URIs trunks take, room for one where numbers stand, and their weights."""
    listed = sa.Column("sip_uris", sa.JSON(), server_default="[]", nullable=False)
    op.add_column("trunks", listed)
    weight = sa.Column("weight", sa.Integer(), server_default="0", nullable=False)
    op.add_column("trunks", weight)
    if op.get_bind().dialect.name == "postgresql":  # SQLite holds no text to its length
        for table in ("calls", "campaign_contacts"):
            op.alter_column(table, "to_number", type_=sa.String(128))
