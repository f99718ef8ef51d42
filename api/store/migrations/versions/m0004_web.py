"""Web calls, and tokens for them."""

import sqlalchemy as sa
from alembic import op

revision = "0.4.0_web"
down_revision = "0.3.0"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add which calls came from a browser, and what lets a page place one.

    A web call's `direction` stays `inbound` in its row: SQLite would have to make the table anew
    to take another word for it.
    """
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
