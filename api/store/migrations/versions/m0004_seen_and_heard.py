"""Sessions of the console, calls and tokens of web pages, and SIP URIs as destinations."""

import sqlalchemy as sa
from alembic import op

revision = "0.4.0"
down_revision = "0.3.0"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add who is signed in, what was heard before answers, what pages call by, and URIs taken.

    A web call's `direction` stays `inbound` in its row: SQLite would have to make the table anew
    to take another word for it.
    """
    op.create_table(
        "sessions",
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("api_key_id", sa.String(36), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("expires_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["api_key_id"],
            ["api_keys.id"],
            name=op.f("fk_sessions_api_key_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_sessions")),
    )
    op.add_column("attempts", sa.Column("heard_early", sa.JSON()))
    web: sa.Column[bool] = sa.Column("web", sa.Boolean(), server_default=sa.false(), nullable=False)
    op.add_column("calls", web)
    op.create_table(
        "web_call_tokens",
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("agent_id", sa.String(36), nullable=False),
        sa.Column("origin", sa.String(300), nullable=False),
        sa.Column("api_key_id", sa.String(36)),
        sa.Column("variables", sa.JSON(), nullable=False),
        sa.Column("metadata", sa.JSON(), nullable=False),
        sa.Column("expires_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["agent_id"],
            ["agents.id"],
            name=op.f("fk_web_call_tokens_agent_id_agents"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_web_call_tokens")),
    )
    op.create_index("ix_web_call_tokens_origin", "web_call_tokens", ["origin"])
    listed = sa.Column("sip_uris", sa.JSON(), server_default="[]", nullable=False)
    op.add_column("trunks", listed)
    weight = sa.Column("weight", sa.Integer(), server_default="0", nullable=False)
    op.add_column("trunks", weight)
    if op.get_bind().dialect.name == "postgresql":  # SQLite holds no text to its length
        for table in ("calls", "campaign_contacts"):
            op.alter_column(table, "to_number", type_=sa.String(128))
