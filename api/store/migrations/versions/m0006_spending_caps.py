"""What transfers cost, and how much a key may call in a day."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; earlier transfers cost nothing, and earlier keys have the settings' caps."""
    op.add_column(
        "calls",
        sa.Column("transfers_milli_cents", sa.BigInteger(), nullable=False, server_default="0"),
    )
