"""Agents with their versions and numbers, secrets, calendars, messages, and tools' turns."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the tables and columns; earlier calls had no agent."""
    _agents()
    _connections()
    _messages()
    for column in (
        sa.Column("agent_id", sa.String(length=36), nullable=True),
        sa.Column("agent_version", sa.Integer(), nullable=True),
        sa.Column("agent", sa.JSON(), nullable=False, server_default=sa.text("'{}'")),
        sa.Column("agent_layers", sa.JSON(), nullable=True),
        sa.Column("variables", sa.JSON(), nullable=False, server_default=sa.text("'{}'")),
        sa.Column("dialect", sa.String(length=16), nullable=True),
        sa.Column("transfer", sa.JSON(), nullable=True),
    ):
        op.add_column("calls", column)
    op.create_index(
        "ix_calls_agent_id_created_at_id",
        "calls",
        ["agent_id", "created_at", "id"],
        sqlite_where=sa.text("agent_id IS NOT NULL"),
        postgresql_where=sa.text("agent_id IS NOT NULL"),
    )
    op.add_column(
        "campaign_contacts",
        sa.Column("variables", sa.JSON(), nullable=False, server_default=sa.text("'{}'")),
    )
    op.add_column(
        "trunks",
        sa.Column("allow_refer", sa.Boolean(), nullable=False, server_default=sa.false()),
    )
    op.add_column("campaigns", sa.Column("dialect", sa.String(length=16), nullable=True))
    op.add_column("api_keys", sa.Column("dialect", sa.String(length=16), nullable=True))
    with op.batch_alter_table("turns", copy_from=_turns_of_0003()) as table:
        table.add_column(sa.Column("tool", sa.JSON(), nullable=True))
        table.drop_constraint(op.f("ck_turns_speaker"), type_="check")
        table.create_check_constraint(
            op.f("ck_turns_speaker"), "speaker IN ('agent', 'person', 'keypad', 'tool')"
        )


def _agents() -> None:
    op.create_table(
        "agents",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("type", sa.String(length=16), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("config", sa.JSON(), nullable=False),
        sa.Column("primary_number_id", sa.String(length=36), nullable=True),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.CheckConstraint("type IN ('outbound', 'inbound')", name=op.f("ck_agents_type")),
        sa.CheckConstraint("status IN ('active', 'archived')", name=op.f("ck_agents_status")),
        sa.ForeignKeyConstraint(
            ["primary_number_id"], ["numbers.id"], name=op.f("fk_agents_primary_number_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_agents")),
    )
    op.create_index("ix_agents_created_at_id", "agents", ["created_at", "id"])
    op.create_table(
        "agent_versions",
        sa.Column("agent_id", sa.String(length=36), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("config", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["agent_id"],
            ["agents.id"],
            name=op.f("fk_agent_versions_agent_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("agent_id", "version", name=op.f("pk_agent_versions")),
    )
    op.create_table(
        "agent_numbers",
        sa.Column("agent_id", sa.String(length=36), nullable=False),
        sa.Column("number_id", sa.String(length=36), nullable=False),
        sa.Column("inbound", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["agent_id"], ["agents.id"], name=op.f("fk_agent_numbers_agent_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["number_id"],
            ["numbers.id"],
            name=op.f("fk_agent_numbers_number_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("agent_id", "number_id", name=op.f("pk_agent_numbers")),
    )
    op.create_index(
        "uq_agent_numbers_inbound",
        "agent_numbers",
        ["number_id"],
        unique=True,
        sqlite_where=sa.text("inbound"),
        postgresql_where=sa.text("inbound"),
    )


def _connections() -> None:
    op.create_table(
        "secrets",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_secrets")),
    )
    op.create_table(
        "calendar_connections",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("username", sa.Text(), nullable=True),
        sa.Column("sealed_password", sa.Text(), nullable=True),
        sa.Column("event_types", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.CheckConstraint("kind IN ('caldav', 'ics')", name=op.f("ck_calendar_connections_kind")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calendar_connections")),
    )


def _messages() -> None:
    op.create_table(
        "messages",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("call_id", sa.String(length=36), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("purpose", sa.String(length=16), nullable=False),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("sender", sa.Text(), nullable=True),
        sa.Column("subject", sa.Text(), nullable=True),
        sa.Column("body", sa.Text(), nullable=True),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("attempt_count", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", sa.Double(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("sent_at", sa.Double(), nullable=True),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.CheckConstraint("kind IN ('sms', 'email')", name=op.f("ck_messages_kind")),
        sa.CheckConstraint(
            "purpose IN ('tool', 'after_call', 'voicemail', 'notification')",
            name=op.f("ck_messages_purpose"),
        ),
        sa.CheckConstraint(
            "status IN ('pending', 'sent', 'failed')", name=op.f("ck_messages_status")
        ),
        sa.CheckConstraint(
            "(status = 'pending') = (next_attempt_at IS NOT NULL)", name=op.f("ck_messages_due")
        ),
        sa.ForeignKeyConstraint(
            ["call_id"], ["calls.id"], name=op.f("fk_messages_call_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_messages")),
    )
    op.create_index(op.f("ix_messages_call_id"), "messages", ["call_id"])
    op.create_index("ix_messages_created_at_id", "messages", ["created_at", "id"])
    op.create_index(
        "ix_messages_due",
        "messages",
        ["next_attempt_at"],
        sqlite_where=sa.text("status = 'pending'"),
        postgresql_where=sa.text("status = 'pending'"),
    )


def _turns_of_0003() -> sa.Table:
    """As it stands: SQLite remakes the table to change a constraint."""
    return sa.Table(
        "turns",
        sa.MetaData(),
        sa.Column("call_id", sa.String(length=36), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("speaker", sa.String(length=8), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("interrupted", sa.Boolean(), nullable=False),
        sa.Column("started_at", sa.Double(), nullable=False),
        sa.Column("ended_at", sa.Double(), nullable=False),
        sa.Column("confidence", sa.Double(), nullable=True),
        sa.Column("timings", sa.JSON(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False, server_default="1"),
        sa.CheckConstraint(
            "speaker IN ('agent', 'person', 'keypad')", name=op.f("ck_turns_speaker")
        ),
        sa.ForeignKeyConstraint(
            ["call_id"], ["calls.id"], name=op.f("fk_turns_call_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("call_id", "seq", name=op.f("pk_turns")),
    )
