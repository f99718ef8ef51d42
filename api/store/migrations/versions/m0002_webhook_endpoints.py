"""Webhook endpoints of their own, and the history of deliveries."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add endpoints and attempts; let a delivery be an endpoint's, of no call, and held."""
    op.create_table(
        "webhook_endpoints",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("enabled_events", sa.JSON(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("disabled_reason", sa.String(length=32), nullable=True),
        sa.Column("disabled_at", sa.Double(), nullable=True),
        sa.Column("consecutive_failures", sa.Integer(), nullable=False),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("previous_secret", sa.Text(), nullable=True),
        sa.Column("previous_secret_until", sa.Double(), nullable=True),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.CheckConstraint(
            "status IN ('enabled', 'disabled')", name=op.f("ck_webhook_endpoints_status")
        ),
        sa.CheckConstraint(
            "disabled_reason IN ('requested', 'too_many_failures', 'gone')",
            name=op.f("ck_webhook_endpoints_disabled_reason"),
        ),
        sa.CheckConstraint(
            "(status = 'disabled') = (disabled_reason IS NOT NULL)",
            name=op.f("ck_webhook_endpoints_disabled"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_endpoints")),
        sa.UniqueConstraint("url", name=op.f("uq_webhook_endpoints_url")),
    )
    # Every delivery so far is to a call's own URL.
    with op.batch_alter_table("webhook_deliveries", copy_from=_deliveries_of_0001()) as table:
        table.alter_column("call_id", existing_type=sa.String(length=36), nullable=True)
        table.add_column(sa.Column("data", sa.JSON(), nullable=True))
        table.add_column(
            sa.Column("inline", sa.Boolean(), nullable=False, server_default=sa.true())
        )
        for name in ("failures", "manual_retry_count"):
            table.add_column(sa.Column(name, sa.Integer(), nullable=False, server_default="0"))
        table.drop_constraint(op.f("fk_webhook_deliveries_event_id"), type_="foreignkey")
        table.drop_constraint(op.f("uq_webhook_deliveries_event_id_url"), type_="unique")
        table.drop_constraint(op.f("ck_webhook_deliveries_status"), type_="check")
        table.create_check_constraint(
            op.f("ck_webhook_deliveries_status"),
            "status IN ('pending', 'held', 'delivered', 'exhausted')",
        )
        table.create_unique_constraint(
            op.f("uq_webhook_deliveries_event_id_endpoint_id"), ["event_id", "endpoint_id"]
        )
        table.create_foreign_key(
            op.f("fk_webhook_deliveries_endpoint_id"),
            "webhook_endpoints",
            ["endpoint_id"],
            ["id"],
            ondelete="CASCADE",
        )
    op.execute("UPDATE webhook_deliveries SET failures = attempt_count")
    op.create_index(
        "uq_webhook_deliveries_inline",
        "webhook_deliveries",
        ["event_id"],
        unique=True,
        sqlite_where=sa.text("inline"),
        postgresql_where=sa.text("inline"),
    )
    op.create_index(
        "ix_webhook_deliveries_endpoint_id_created_at_id",
        "webhook_deliveries",
        ["endpoint_id", "created_at", "id"],
        unique=False,
    )
    op.create_index(
        "ix_webhook_deliveries_created_at_id",
        "webhook_deliveries",
        ["created_at", "id"],
        unique=False,
    )
    op.create_table(
        "webhook_attempts",
        sa.Column("delivery_id", sa.String(length=36), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("duration_ms", sa.Integer(), nullable=False),
        sa.Column("response_status", sa.Integer(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["delivery_id"],
            ["webhook_deliveries.id"],
            name=op.f("fk_webhook_attempts_delivery_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("delivery_id", "number", name=op.f("pk_webhook_attempts")),
    )


def _deliveries_of_0001() -> sa.Table:
    """The table as 0001 made it; SQLite can only change it by copying, checks and all."""
    metadata = sa.MetaData()
    for name in ("calls", "call_events"):
        sa.Table(name, metadata, sa.Column("id", sa.String(length=40), primary_key=True))
    return sa.Table(
        "webhook_deliveries",
        metadata,
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("call_id", sa.String(length=36), nullable=False),
        sa.Column("event_id", sa.String(length=40), nullable=False),
        sa.Column("event_seq", sa.Integer(), nullable=False),
        sa.Column("event_type", sa.String(length=32), nullable=False),
        sa.Column("terminal", sa.Boolean(), nullable=False),
        sa.Column("endpoint_id", sa.String(length=36), nullable=True),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("destination", sa.Text(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("attempt_count", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", sa.Double(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("last_response_status", sa.Integer(), nullable=True),
        sa.Column("delivered_at", sa.Double(), nullable=True),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.CheckConstraint(
            "(status = 'pending') = (next_attempt_at IS NOT NULL)",
            name=op.f("ck_webhook_deliveries_due"),
        ),
        sa.CheckConstraint(
            "status IN ('pending', 'delivered', 'exhausted')",
            name=op.f("ck_webhook_deliveries_status"),
        ),
        sa.ForeignKeyConstraint(
            ["call_id"],
            ["calls.id"],
            name=op.f("fk_webhook_deliveries_call_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["event_id"],
            ["call_events.id"],
            name=op.f("fk_webhook_deliveries_event_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_deliveries")),
        sa.UniqueConstraint("event_id", "url", name=op.f("uq_webhook_deliveries_event_id_url")),
        sa.Index("ix_webhook_deliveries_call_id", "call_id"),
        sa.Index(
            "ix_webhook_deliveries_due",
            "next_attempt_at",
            sqlite_where=sa.text("status = 'pending'"),
            postgresql_where=sa.text("status = 'pending'"),
        ),
    )
