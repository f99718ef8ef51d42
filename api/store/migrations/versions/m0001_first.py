"""The schema of release 0.1.0, the first."""

import sqlalchemy as sa
from alembic import op

revision = "0.1.0"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make every table, and the one row of the budget."""
    op.create_table(
        "api_keys",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("prefix", sa.String(16), nullable=False),
        sa.Column("key_hash", sa.String(64), nullable=False),
        sa.Column("scope", sa.String(16), server_default="admin", nullable=False),
        sa.Column("rate_limit_per_minute", sa.Integer()),
        sa.Column("dialect", sa.String(16)),
        sa.Column("max_calls_per_day", sa.Integer()),
        sa.Column("max_minutes_per_day", sa.Integer()),
        sa.Column("max_calls_per_number_per_day", sa.Integer()),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("revoked_at", sa.Double()),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
        sa.UniqueConstraint("key_hash", name=op.f("uq_api_keys_key_hash")),
    )
    budget = op.create_table(
        "budget",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("limit_milli_cents", sa.BigInteger()),
        sa.Column("spent_milli_cents", sa.BigInteger(), nullable=False),
        sa.Column("reserved_milli_cents", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_budget_one")),
        sa.CheckConstraint(
            "reserved_milli_cents >= 0 AND spent_milli_cents >= 0", name=op.f("ck_budget_amounts")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_budget")),
    )
    op.create_table(
        "budget_entries",
        sa.Column("row_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("call_id", sa.String(36)),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("milli_cents", sa.BigInteger()),
        sa.CheckConstraint(
            "kind IN ('reserve', 'settle', 'release', 'limit')", name=op.f("ck_budget_entries_kind")
        ),
        sa.PrimaryKeyConstraint("row_id", name=op.f("pk_budget_entries")),
    )
    op.create_index(op.f("ix_budget_entries_call_id"), "budget_entries", ["call_id"])
    op.create_table(
        "calendar_connections",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("username", sa.Text()),
        sa.Column("sealed_password", sa.Text()),
        sa.Column("event_types", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.CheckConstraint("kind IN ('caldav', 'ics')", name=op.f("ck_calendar_connections_kind")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calendar_connections")),
    )
    op.create_table(
        "calls",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("direction", sa.String(16), nullable=False),
        sa.Column("to_number", sa.String(16), nullable=False),
        sa.Column("from_number", sa.String(16), nullable=False),
        sa.Column("prompt", sa.Text(), nullable=False),
        sa.Column("context", sa.JSON(), nullable=False),
        sa.Column("returns", sa.JSON(), nullable=False),
        sa.Column("language", sa.String(16), nullable=False),
        sa.Column("webhook_url", sa.Text()),
        sa.Column("metadata", sa.JSON(), nullable=False),
        sa.Column("max_duration_s", sa.Integer(), nullable=False),
        sa.Column("result", sa.JSON()),
        sa.Column("result_status", sa.String(16), nullable=False),
        sa.Column("result_error", sa.Text()),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("started_at", sa.Double()),
        sa.Column("answered_at", sa.Double()),
        sa.Column("ended_at", sa.Double()),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.Column("cancel_requested_at", sa.Double()),
        sa.Column("answered_by", sa.String(16)),
        sa.Column("end_reason", sa.String(64)),
        sa.Column("outcome", sa.String(64)),
        sa.Column("hangup_cause", sa.String(64)),
        sa.Column("error_message", sa.Text()),
        sa.Column("q850_cause", sa.Integer()),
        sa.Column("sip_code", sa.Integer()),
        sa.Column("sip_call_id", sa.Text()),
        sa.Column("recording_path", sa.Text()),
        sa.Column("media", sa.JSON()),
        sa.Column("latency", sa.JSON(), nullable=False),
        sa.Column("event_count", sa.Integer(), nullable=False),
        sa.Column("summary", sa.Text()),
        sa.Column("scheduled_at", sa.Double()),
        sa.Column("retry", sa.JSON()),
        sa.Column("zones", sa.JSON(), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("force_now", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("concurrency_key", sa.String(128)),
        sa.Column("concurrency_max", sa.Integer()),
        sa.Column("campaign_id", sa.String(36)),
        sa.Column("api_key_id", sa.String(36)),
        sa.Column("trunk", sa.String(64)),
        sa.Column("attempt_count", sa.Integer(), server_default="0", nullable=False),
        sa.Column("next_attempt_at", sa.Double()),
        sa.Column("waiting_for", sa.String(32)),
        sa.Column("hangup_requested_at", sa.Double()),
        sa.Column("rate", sa.JSON()),
        sa.Column("reservation_status", sa.String(16), server_default="released", nullable=False),
        sa.Column("reserved_milli_cents", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("amount_milli_cents", sa.BigInteger()),
        sa.Column("transfers_milli_cents", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("agent_id", sa.String(36)),
        sa.Column("agent_version", sa.Integer()),
        sa.Column("agent", sa.JSON(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("agent_layers", sa.JSON()),
        sa.Column("variables", sa.JSON(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("dialect", sa.String(16)),
        sa.Column("transfer", sa.JSON()),
        sa.CheckConstraint(
            "answered_by IN ('human', 'machine', 'ivr', 'screening', 'unknown')",
            name=op.f("ck_calls_answered_by"),
        ),
        sa.CheckConstraint("direction IN ('outbound', 'inbound')", name=op.f("ck_calls_direction")),
        sa.CheckConstraint(
            "result_status IN ('pending', 'completed', 'failed')",
            name=op.f("ck_calls_result_status"),
        ),
        sa.CheckConstraint(
            "status IN ('queued', 'initiated', 'ringing', 'in_progress', "
            "'completed', 'no_answer', 'busy', 'canceled', 'failed')",
            name=op.f("ck_calls_status"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calls")),
    )
    op.create_index(
        "ix_calls_agent_id_created_at_id",
        "calls",
        ["agent_id", "created_at", "id"],
        sqlite_where=sa.text("agent_id IS NOT NULL"),
        postgresql_where=sa.text("agent_id IS NOT NULL"),
    )
    op.create_index(
        "ix_calls_api_key_id_created_at",
        "calls",
        ["api_key_id", "created_at"],
        sqlite_where=sa.text("api_key_id IS NOT NULL"),
        postgresql_where=sa.text("api_key_id IS NOT NULL"),
    )
    op.create_index(
        "ix_calls_awaiting_result",
        "calls",
        ["created_at"],
        sqlite_where=sa.text("waiting_for = 'result'"),
        postgresql_where=sa.text("waiting_for = 'result'"),
    )
    op.create_index(
        "ix_calls_campaign_id_status_next_attempt_at",
        "calls",
        ["campaign_id", "status", "next_attempt_at"],
        sqlite_where=sa.text("campaign_id IS NOT NULL"),
        postgresql_where=sa.text("campaign_id IS NOT NULL"),
    )
    op.create_index(
        "ix_calls_concurrency_key_created_at_id",
        "calls",
        ["concurrency_key", "created_at", "id"],
        sqlite_where=sa.text("concurrency_key IS NOT NULL"),
        postgresql_where=sa.text("concurrency_key IS NOT NULL"),
    )
    op.create_index("ix_calls_created_at_id", "calls", ["created_at", "id"])
    op.create_index(
        "ix_calls_due",
        "calls",
        ["next_attempt_at", "created_at"],
        sqlite_where=sa.text("next_attempt_at IS NOT NULL"),
        postgresql_where=sa.text("next_attempt_at IS NOT NULL"),
    )
    op.create_index("ix_calls_status_created_at_id", "calls", ["status", "created_at", "id"])
    op.create_index("ix_calls_to_number_created_at_id", "calls", ["to_number", "created_at", "id"])
    op.create_table(
        "campaigns",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("paused_reason", sa.String(32)),
        sa.Column("template", sa.JSON(), nullable=False),
        sa.Column("max_concurrent", sa.Integer(), nullable=False),
        sa.Column("api_key_id", sa.String(36)),
        sa.Column("dialect", sa.String(16)),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("started_at", sa.Double()),
        sa.Column("completed_at", sa.Double()),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.CheckConstraint(
            "status IN ('draft', 'running', 'paused', 'completed', 'canceled')",
            name=op.f("ck_campaigns_status"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_campaigns")),
    )
    op.create_index("ix_campaigns_created_at_id", "campaigns", ["created_at", "id"])
    op.create_table(
        "do_not_call",
        sa.Column("number", sa.String(16), nullable=False),
        sa.Column("source", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("call_id", sa.String(36)),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.CheckConstraint(
            "source IN ('api', 'import', 'outcome')", name=op.f("ck_do_not_call_source")
        ),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_do_not_call")),
    )
    op.create_index("ix_do_not_call_created_at_number", "do_not_call", ["created_at", "number"])
    op.create_table(
        "erasures",
        sa.Column("call_id", sa.String(36), nullable=False),
        sa.Column("node", sa.String(64), nullable=False),
        sa.Column("attempt_count", sa.Integer(), nullable=False),
        sa.Column("asked_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("call_id", "node", name=op.f("pk_erasures")),
    )
    op.create_index("ix_erasures_node", "erasures", ["node"])
    op.create_table(
        "idempotency_keys",
        sa.Column("api_key_id", sa.String(36), nullable=False),
        sa.Column("key", sa.String(255), nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("status_code", sa.Integer(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("api_key_id", "key", name=op.f("pk_idempotency_keys")),
    )
    op.create_index(op.f("ix_idempotency_keys_created_at"), "idempotency_keys", ["created_at"])
    op.create_table(
        "kept_values",
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_kept_values")),
    )
    op.create_table(
        "leases",
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("holder", sa.String(64), nullable=False),
        sa.Column("expires_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_leases")),
    )
    op.create_table(
        "rates",
        sa.Column("prefix", sa.String(16), nullable=False),
        sa.Column("milli_cents_per_minute", sa.BigInteger(), nullable=False),
        sa.Column("increment_seconds", sa.Integer(), nullable=False),
        sa.Column("minimum_seconds", sa.Integer(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.CheckConstraint(
            "increment_seconds > 0 AND minimum_seconds >= 0", name=op.f("ck_rates_seconds")
        ),
        sa.CheckConstraint("milli_cents_per_minute >= 0", name=op.f("ck_rates_price")),
        sa.PrimaryKeyConstraint("prefix", name=op.f("pk_rates")),
    )
    op.create_table(
        "secrets",
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_secrets")),
    )
    op.create_table(
        "trunks",
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("allowed_prefixes", sa.JSON(), nullable=False),
        sa.Column("max_channels", sa.Integer()),
        sa.Column("calls_per_second", sa.Integer()),
        sa.Column("allow_refer", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.CheckConstraint("status IN ('active', 'inactive')", name=op.f("ck_trunks_status")),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_trunks")),
    )
    op.create_table(
        "webhook_endpoints",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("enabled_events", sa.JSON(), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("disabled_reason", sa.String(32)),
        sa.Column("disabled_at", sa.Double()),
        sa.Column("consecutive_failures", sa.Integer(), nullable=False),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("previous_secret", sa.Text()),
        sa.Column("previous_secret_until", sa.Double()),
        sa.Column("payload", sa.String(16)),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.CheckConstraint(
            "(status = 'disabled') = (disabled_reason IS NOT NULL)",
            name=op.f("ck_webhook_endpoints_disabled"),
        ),
        sa.CheckConstraint(
            "disabled_reason IN ('requested', 'too_many_failures', 'gone')",
            name=op.f("ck_webhook_endpoints_disabled_reason"),
        ),
        sa.CheckConstraint(
            "status IN ('enabled', 'disabled')", name=op.f("ck_webhook_endpoints_status")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_endpoints")),
        sa.UniqueConstraint("url", name=op.f("uq_webhook_endpoints_url")),
    )
    op.create_table(
        "attempts",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("call_id", sa.String(36), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("channel_id", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("ringing_at", sa.Double()),
        sa.Column("early_media_at", sa.Double()),
        sa.Column("answered_at", sa.Double()),
        sa.Column("ended_at", sa.Double()),
        sa.Column("hangup_cause", sa.String(64)),
        sa.Column("message", sa.Text()),
        sa.Column("q850_cause", sa.Integer()),
        sa.Column("sip_code", sa.Integer()),
        sa.Column("sip_call_id", sa.Text()),
        sa.Column("trunk", sa.String(64)),
        sa.Column("concurrency_key", sa.String(128)),
        sa.Column("node_id", sa.String(36)),
        sa.Column("answered_by", sa.String(16)),
        sa.Column("end_reason", sa.String(64)),
        sa.Column("unknown", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("media", sa.JSON()),
        sa.Column("recording_path", sa.Text()),
        sa.Column("amount_milli_cents", sa.BigInteger()),
        sa.Column("recording_node", sa.String(64)),
        sa.CheckConstraint(
            "state IN ('dialing', 'ringing', 'in_progress', "
            "'completed', 'no_answer', 'busy', 'canceled', 'failed')",
            name=op.f("ck_attempts_state"),
        ),
        sa.ForeignKeyConstraint(
            ["call_id"], ["calls.id"], name=op.f("fk_attempts_call_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attempts")),
        sa.UniqueConstraint("call_id", "number", name=op.f("uq_attempts_call_id_number")),
        sa.UniqueConstraint("channel_id", name=op.f("uq_attempts_channel_id")),
    )
    op.create_index(
        "ix_attempts_live_concurrency_key",
        "attempts",
        ["concurrency_key"],
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_index(
        "ix_attempts_recording_path",
        "attempts",
        ["recording_path"],
        sqlite_where=sa.text("recording_path IS NOT NULL"),
        postgresql_where=sa.text("recording_path IS NOT NULL"),
    )
    op.create_index("ix_attempts_trunk_created_at", "attempts", ["trunk", "created_at"])
    op.create_index(
        "uq_attempts_live",
        "attempts",
        ["call_id"],
        unique=True,
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_table(
        "call_events",
        sa.Column("row_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("call_id", sa.String(36), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("type", sa.String(32), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("terminal", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["call_id"], ["calls.id"], name=op.f("fk_call_events_call_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("row_id", name=op.f("pk_call_events")),
        sa.UniqueConstraint("call_id", "seq", name=op.f("uq_call_events_call_id_seq")),
        sa.UniqueConstraint("id", name=op.f("uq_call_events_id")),
    )
    op.create_index(
        "uq_call_events_terminal",
        "call_events",
        ["call_id"],
        unique=True,
        sqlite_where=sa.text("terminal"),
        postgresql_where=sa.text("terminal"),
    )
    op.create_table(
        "call_metadata",
        sa.Column("call_id", sa.String(36), nullable=False),
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("value", sa.String(256), nullable=False),
        sa.ForeignKeyConstraint(
            ["call_id"], ["calls.id"], name=op.f("fk_call_metadata_call_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("call_id", "key", name=op.f("pk_call_metadata")),
    )
    op.create_index(
        "ix_call_metadata_key_value_call_id", "call_metadata", ["key", "value", "call_id"]
    )
    op.create_table(
        "campaign_contacts",
        sa.Column("campaign_id", sa.String(36), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("to_number", sa.String(16), nullable=False),
        sa.Column("context", sa.JSON(), nullable=False),
        sa.Column("metadata", sa.JSON(), nullable=False),
        sa.Column("variables", sa.JSON(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("call_id", sa.String(36)),
        sa.Column("error", sa.Text()),
        sa.CheckConstraint(
            "status IN ('pending', 'ordered', 'refused')", name=op.f("ck_campaign_contacts_status")
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
    op.create_table(
        "messages",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("call_id", sa.String(36), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("purpose", sa.String(16), nullable=False),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("sender", sa.Text()),
        sa.Column("subject", sa.Text()),
        sa.Column("body", sa.Text()),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("attempt_count", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", sa.Double()),
        sa.Column("last_error", sa.Text()),
        sa.Column("sent_at", sa.Double()),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.CheckConstraint(
            "(status = 'pending') = (next_attempt_at IS NOT NULL)", name=op.f("ck_messages_due")
        ),
        sa.CheckConstraint("kind IN ('sms', 'email')", name=op.f("ck_messages_kind")),
        sa.CheckConstraint(
            "purpose IN ('tool', 'after_call', 'voicemail', 'notification')",
            name=op.f("ck_messages_purpose"),
        ),
        sa.CheckConstraint(
            "status IN ('pending', 'sent', 'failed')", name=op.f("ck_messages_status")
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
    op.create_table(
        "numbers",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("number", sa.String(16), nullable=False),
        sa.Column("trunk", sa.String(64)),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.CheckConstraint("status IN ('active', 'inactive')", name=op.f("ck_numbers_status")),
        sa.ForeignKeyConstraint(["trunk"], ["trunks.name"], name=op.f("fk_numbers_trunk")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_numbers")),
        sa.UniqueConstraint("number", name=op.f("uq_numbers_number")),
    )
    op.create_table(
        "turns",
        sa.Column("call_id", sa.String(36), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("speaker", sa.String(8), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("interrupted", sa.Boolean(), nullable=False),
        sa.Column("started_at", sa.Double(), nullable=False),
        sa.Column("ended_at", sa.Double(), nullable=False),
        sa.Column("confidence", sa.Double()),
        sa.Column("timings", sa.JSON(), nullable=False),
        sa.Column("attempt", sa.Integer(), server_default="1", nullable=False),
        sa.Column("tool", sa.JSON()),
        sa.CheckConstraint(
            "speaker IN ('agent', 'person', 'keypad', 'tool')", name=op.f("ck_turns_speaker")
        ),
        sa.ForeignKeyConstraint(
            ["call_id"], ["calls.id"], name=op.f("fk_turns_call_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("call_id", "seq", name=op.f("pk_turns")),
    )
    op.create_table(
        "webhook_deliveries",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("call_id", sa.String(36)),
        sa.Column("event_id", sa.String(40), nullable=False),
        sa.Column("event_seq", sa.Integer(), nullable=False),
        sa.Column("event_type", sa.String(32), nullable=False),
        sa.Column("terminal", sa.Boolean(), nullable=False),
        sa.Column("data", sa.JSON()),
        sa.Column("endpoint_id", sa.String(36)),
        sa.Column("inline", sa.Boolean(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("destination", sa.Text(), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("attempt_count", sa.Integer(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("manual_retry_count", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", sa.Double()),
        sa.Column("last_error", sa.Text()),
        sa.Column("last_response_status", sa.Integer()),
        sa.Column("delivered_at", sa.Double()),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.CheckConstraint(
            "(status = 'pending') = (next_attempt_at IS NOT NULL)",
            name=op.f("ck_webhook_deliveries_due"),
        ),
        sa.CheckConstraint(
            "status IN ('pending', 'held', 'delivered', 'exhausted')",
            name=op.f("ck_webhook_deliveries_status"),
        ),
        sa.ForeignKeyConstraint(
            ["call_id"],
            ["calls.id"],
            name=op.f("fk_webhook_deliveries_call_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["endpoint_id"],
            ["webhook_endpoints.id"],
            name=op.f("fk_webhook_deliveries_endpoint_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_deliveries")),
        sa.UniqueConstraint(
            "event_id", "endpoint_id", name=op.f("uq_webhook_deliveries_event_id_endpoint_id")
        ),
    )
    op.create_index(op.f("ix_webhook_deliveries_call_id"), "webhook_deliveries", ["call_id"])
    op.create_index(
        "ix_webhook_deliveries_created_at_id", "webhook_deliveries", ["created_at", "id"]
    )
    op.create_index(
        "ix_webhook_deliveries_due",
        "webhook_deliveries",
        ["next_attempt_at"],
        sqlite_where=sa.text("status = 'pending'"),
        postgresql_where=sa.text("status = 'pending'"),
    )
    op.create_index(
        "ix_webhook_deliveries_endpoint_id_created_at_id",
        "webhook_deliveries",
        ["endpoint_id", "created_at", "id"],
    )
    op.create_index(
        "uq_webhook_deliveries_inline",
        "webhook_deliveries",
        ["event_id"],
        unique=True,
        sqlite_where=sa.text("inline"),
        postgresql_where=sa.text("inline"),
    )
    op.create_table(
        "agents",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("type", sa.String(16), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("config", sa.JSON(), nullable=False),
        sa.Column("primary_number_id", sa.String(36)),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.CheckConstraint("status IN ('active', 'archived')", name=op.f("ck_agents_status")),
        sa.CheckConstraint("type IN ('outbound', 'inbound')", name=op.f("ck_agents_type")),
        sa.ForeignKeyConstraint(
            ["primary_number_id"], ["numbers.id"], name=op.f("fk_agents_primary_number_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_agents")),
    )
    op.create_index("ix_agents_created_at_id", "agents", ["created_at", "id"])
    op.create_table(
        "webhook_attempts",
        sa.Column("delivery_id", sa.String(36), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("duration_ms", sa.Integer(), nullable=False),
        sa.Column("response_status", sa.Integer()),
        sa.Column("error", sa.Text()),
        sa.ForeignKeyConstraint(
            ["delivery_id"],
            ["webhook_deliveries.id"],
            name=op.f("fk_webhook_attempts_delivery_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("delivery_id", "number", name=op.f("pk_webhook_attempts")),
    )
    op.create_table(
        "agent_numbers",
        sa.Column("agent_id", sa.String(36), nullable=False),
        sa.Column("number_id", sa.String(36), nullable=False),
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
    op.create_table(
        "agent_versions",
        sa.Column("agent_id", sa.String(36), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("config", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["agent_id"], ["agents.id"], name=op.f("fk_agent_versions_agent_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("agent_id", "version", name=op.f("pk_agent_versions")),
    )
    op.bulk_insert(
        budget,
        [{"id": 1, "spent_milli_cents": 0, "reserved_milli_cents": 0, "updated_at": 0.0}],
    )
