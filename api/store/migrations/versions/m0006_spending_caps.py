"""What transfers cost, and how much a key may call in a day."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; earlier transfers cost nothing, and earlier keys have the settings' caps."""
    op.add_column(
        "calls",
        sa.Column("transfers_milli_cents", sa.BigInteger(), nullable=False, server_default="0"),
    )
    op.create_index(
        "ix_calls_api_key_id_created_at",
        "calls",
        ["api_key_id", "created_at"],
        sqlite_where=sa.text("api_key_id IS NOT NULL"),
        postgresql_where=sa.text("api_key_id IS NOT NULL"),
    )
    for cap in ("max_calls_per_day", "max_minutes_per_day", "max_calls_per_number_per_day"):
        op.add_column("api_keys", sa.Column(cap, sa.Integer(), nullable=True))
