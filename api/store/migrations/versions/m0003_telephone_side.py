"""Dial plans, several PBXs, names of callers, recordings with pauses, and who answered."""

import sqlalchemy as sa
from alembic import op

revision = "0.3.0"
down_revision = "0.2.0"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add what trunks dial by, and what is told of a call's two ends and of its recording."""
    op.add_column("trunks", sa.Column("dial_string", sa.Text()))
    for name in (
        *("number_rules", "caller_rules", "inbound_number_rules", "inbound_caller_rules"),
        "extensions",
    ):
        listed = sa.Column(name, sa.JSON(), server_default="[]", nullable=False)
        op.add_column("trunks", listed)
    op.add_column("trunks", sa.Column("pbx", sa.String(63)))
    op.add_column("numbers", sa.Column("caller_name", sa.Text()))
    op.add_column("attempts", sa.Column("recording", sa.JSON()))
    op.add_column("calls", sa.Column("recording", sa.JSON()))
    op.add_column("calls", sa.Column("recording_wish", sa.JSON()))
    op.add_column("attempts", sa.Column("answerer", sa.JSON(none_as_null=True)))
    op.add_column("attempts", sa.Column("found_answered_by", sa.String(16)))
