"""Which node a recording lies on, and what of erased calls the nodes have yet to delete."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column and the table; each node claims its earlier recordings when it starts."""
    op.add_column("attempts", sa.Column("recording_node", sa.String(length=64), nullable=True))
    op.create_index(
        "ix_attempts_recording_path",
        "attempts",
        ["recording_path"],
        sqlite_where=sa.text("recording_path IS NOT NULL"),
        postgresql_where=sa.text("recording_path IS NOT NULL"),
    )
    op.create_table(
        "erasures",
        sa.Column("call_id", sa.String(length=36), nullable=False),
        sa.Column("node", sa.String(length=64), nullable=False),
        sa.Column("attempt_count", sa.Integer(), nullable=False),
        sa.Column("asked_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("call_id", "node", name=op.f("pk_erasures")),
    )
    op.create_index("ix_erasures_node", "erasures", ["node"])
