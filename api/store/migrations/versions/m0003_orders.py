"""Orders with many attempts, and what limits them: trunks, numbers, money, do-not-call."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the tables and columns; calls of earlier releases become orders with one attempt."""
    op.create_table(
        "leases",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("holder", sa.String(length=64), nullable=False),
        sa.Column("expires_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_leases")),
    )
    _limits()
    _money()
    _campaigns()
    _orders()
    _attempts()
    op.add_column("turns", sa.Column("attempt", sa.Integer(), nullable=False, server_default="1"))
    op.add_column(
        "api_keys",
        sa.Column("scope", sa.String(length=16), nullable=False, server_default="admin"),
    )
    op.add_column("api_keys", sa.Column("rate_limit_per_minute", sa.Integer(), nullable=True))
    op.add_column("webhook_endpoints", sa.Column("payload", sa.String(length=16), nullable=True))


def _limits() -> None:
    op.create_table(
        "trunks",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("allowed_prefixes", sa.JSON(), nullable=False),
        sa.Column("max_channels", sa.Integer(), nullable=True),
        sa.Column("calls_per_second", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.CheckConstraint("status IN ('active', 'inactive')", name=op.f("ck_trunks_status")),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_trunks")),
    )
    op.create_table(
        "numbers",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("number", sa.String(length=16), nullable=False),
        sa.Column("trunk", sa.String(length=64), nullable=True),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.CheckConstraint("status IN ('active', 'inactive')", name=op.f("ck_numbers_status")),
        sa.ForeignKeyConstraint(["trunk"], ["trunks.name"], name=op.f("fk_numbers_trunk")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_numbers")),
        sa.UniqueConstraint("number", name=op.f("uq_numbers_number")),
    )
    op.create_table(
        "do_not_call",
        sa.Column("number", sa.String(length=16), nullable=False),
        sa.Column("source", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("call_id", sa.String(length=36), nullable=True),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.CheckConstraint(
            "source IN ('api', 'import', 'outcome')", name=op.f("ck_do_not_call_source")
        ),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_do_not_call")),
    )
    op.create_index("ix_do_not_call_created_at_number", "do_not_call", ["created_at", "number"])


def _money() -> None:
    op.create_table(
        "rates",
        sa.Column("prefix", sa.String(length=16), nullable=False),
        sa.Column("milli_cents_per_minute", sa.BigInteger(), nullable=False),
        sa.Column("increment_seconds", sa.Integer(), nullable=False),
        sa.Column("minimum_seconds", sa.Integer(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.CheckConstraint("milli_cents_per_minute >= 0", name=op.f("ck_rates_price")),
        sa.CheckConstraint(
            "increment_seconds > 0 AND minimum_seconds >= 0", name=op.f("ck_rates_seconds")
        ),
        sa.PrimaryKeyConstraint("prefix", name=op.f("pk_rates")),
    )
    budget = op.create_table(
        "budget",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("limit_milli_cents", sa.BigInteger(), nullable=True),
        sa.Column("spent_milli_cents", sa.BigInteger(), nullable=False),
        sa.Column("reserved_milli_cents", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_budget_one")),
        sa.CheckConstraint(
            "reserved_milli_cents >= 0 AND spent_milli_cents >= 0",
            name=op.f("ck_budget_amounts"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_budget")),
    )
    op.bulk_insert(
        budget,
        [{"id": 1, "spent_milli_cents": 0, "reserved_milli_cents": 0, "updated_at": 0.0}],
    )
    op.create_table(
        "budget_entries",
        sa.Column(
            "row_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("call_id", sa.String(length=36), nullable=True),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("milli_cents", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "kind IN ('reserve', 'settle', 'release', 'limit')",
            name=op.f("ck_budget_entries_kind"),
        ),
        sa.PrimaryKeyConstraint("row_id", name=op.f("pk_budget_entries")),
    )
    op.create_index("ix_budget_entries_call_id", "budget_entries", ["call_id"])


def _campaigns() -> None:
    op.create_table(
        "campaigns",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("paused_reason", sa.String(length=32), nullable=True),
        sa.Column("template", sa.JSON(), nullable=False),
        sa.Column("max_concurrent", sa.Integer(), nullable=False),
        sa.Column("api_key_id", sa.String(length=36), nullable=True),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("started_at", sa.Double(), nullable=True),
        sa.Column("completed_at", sa.Double(), nullable=True),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.CheckConstraint(
            "status IN ('draft', 'running', 'paused', 'completed', 'canceled')",
            name=op.f("ck_campaigns_status"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_campaigns")),
    )
    op.create_index("ix_campaigns_created_at_id", "campaigns", ["created_at", "id"])
    op.create_table(
        "campaign_contacts",
        sa.Column("campaign_id", sa.String(length=36), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("to_number", sa.String(length=16), nullable=False),
        sa.Column("context", sa.JSON(), nullable=False),
        sa.Column("metadata", sa.JSON(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("call_id", sa.String(length=36), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "status IN ('pending', 'ordered', 'refused')",
            name=op.f("ck_campaign_contacts_status"),
        ),
        sa.ForeignKeyConstraint(
            ["campaign_id"],
            ["campaigns.id"],
            name=op.f("fk_campaign_contacts_campaign_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("campaign_id", "seq", name=op.f("pk_campaign_contacts")),
        sa.UniqueConstraint("call_id", name=op.f("uq_campaign_contacts_call_id")),
        sa.UniqueConstraint(
            "campaign_id", "to_number", name=op.f("uq_campaign_contacts_campaign_id_to_number")
        ),
    )
    op.create_index(
        "ix_campaign_contacts_campaign_id_status_seq",
        "campaign_contacts",
        ["campaign_id", "status", "seq"],
    )


def _orders() -> None:
    for column in (
        sa.Column("summary", sa.Text(), nullable=True),
        sa.Column("scheduled_at", sa.Double(), nullable=True),
        sa.Column("retry", sa.JSON(), nullable=True),
        sa.Column("zones", sa.JSON(), nullable=False, server_default=sa.text("'[]'")),
        sa.Column("force_now", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("concurrency_key", sa.String(length=128), nullable=True),
        sa.Column("concurrency_max", sa.Integer(), nullable=True),
        sa.Column("campaign_id", sa.String(length=36), nullable=True),
        sa.Column("api_key_id", sa.String(length=36), nullable=True),
        sa.Column("trunk", sa.String(length=64), nullable=True),
        sa.Column("attempt_count", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("next_attempt_at", sa.Double(), nullable=True),
        sa.Column("waiting_for", sa.String(length=32), nullable=True),
        sa.Column("hangup_requested_at", sa.Double(), nullable=True),
        sa.Column("rate", sa.JSON(), nullable=True),
        sa.Column(
            "reservation_status",
            sa.String(length=16),
            nullable=False,
            server_default="released",
        ),
        sa.Column("reserved_milli_cents", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("amount_milli_cents", sa.BigInteger(), nullable=True),
    ):
        op.add_column("calls", column)
    op.execute("UPDATE calls SET next_attempt_at = created_at WHERE status = 'queued'")
    op.execute(
        "UPDATE calls SET waiting_for = 'result' WHERE ended_at IS NOT NULL AND NOT EXISTS "
        "(SELECT 1 FROM call_events WHERE call_events.call_id = calls.id AND terminal)"
    )
    op.execute("UPDATE calls SET amount_milli_cents = 0 WHERE ended_at IS NOT NULL")
    op.execute("UPDATE calls SET reservation_status = 'reserved' WHERE ended_at IS NULL")
    op.execute(
        "UPDATE calls SET reservation_status = 'settled' "
        "WHERE ended_at IS NOT NULL AND answered_at IS NOT NULL"
    )
    op.execute(
        "UPDATE calls SET attempt_count = "
        "(SELECT count(*) FROM attempts WHERE attempts.call_id = calls.id)"
    )
    op.create_index("ix_calls_to_number_created_at_id", "calls", ["to_number", "created_at", "id"])
    for name, columns, where in (
        ("ix_calls_due", ["next_attempt_at", "created_at"], "next_attempt_at IS NOT NULL"),
        ("ix_calls_awaiting_result", ["created_at"], "waiting_for = 'result'"),
        (
            "ix_calls_campaign_id_status_next_attempt_at",
            ["campaign_id", "status", "next_attempt_at"],
            "campaign_id IS NOT NULL",
        ),
        (
            "ix_calls_concurrency_key_created_at_id",
            ["concurrency_key", "created_at", "id"],
            "concurrency_key IS NOT NULL",
        ),
    ):
        op.create_index(
            name,
            "calls",
            columns,
            sqlite_where=sa.text(where),
            postgresql_where=sa.text(where),
        )
    op.create_table(
        "call_metadata",
        sa.Column("call_id", sa.String(length=36), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("value", sa.String(length=256), nullable=False),
        sa.ForeignKeyConstraint(
            ["call_id"], ["calls.id"], name=op.f("fk_call_metadata_call_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("call_id", "key", name=op.f("pk_call_metadata")),
    )
    op.create_index(
        "ix_call_metadata_key_value_call_id", "call_metadata", ["key", "value", "call_id"]
    )


def _attempts() -> None:
    for column in (
        sa.Column("trunk", sa.String(length=64), nullable=True),
        sa.Column("concurrency_key", sa.String(length=128), nullable=True),
        sa.Column("node_id", sa.String(length=36), nullable=True),
        sa.Column("answered_by", sa.String(length=16), nullable=True),
        sa.Column("end_reason", sa.String(length=64), nullable=True),
        sa.Column("unknown", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("media", sa.JSON(), nullable=True),
        sa.Column("recording_path", sa.Text(), nullable=True),
        sa.Column("amount_milli_cents", sa.BigInteger(), nullable=True),
    ):
        op.add_column("attempts", column)
    op.create_index("ix_attempts_trunk_created_at", "attempts", ["trunk", "created_at"])
    op.create_index(
        "ix_attempts_live_concurrency_key",
        "attempts",
        ["concurrency_key"],
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
