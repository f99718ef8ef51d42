"""The ledger's tables, and the invariants that the database itself keeps.

Times are Unix seconds (double). SQL here is the part that SQLite and PostgreSQL share. A change
here needs a migration beside it; a test compares the two.
"""

import math
from typing import Any

import sqlalchemy
from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.engine import Dialect

from api.base.lifecycle import STATUSES
from api.base.sip_uris import LONGEST
from voice_loop.untrusted import holdable

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def storable(value: Any) -> Any:
    """`value` without what UTF-8 or PostgreSQL cannot hold: lone surrogates and NUL.

    Requests are checked at the door; this is for what a network or a model made up.
    """
    if isinstance(value, str):
        return value if value.isprintable() else holdable(value)
    if isinstance(value, dict):
        return {storable(key): storable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [storable(item) for item in value]
    return value


class Json(TypeDecorator[Any]):
    """A JSON value; None is SQL's NULL."""

    impl = JSON(none_as_null=True)
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:  # noqa: ARG002
        return storable(value)


class FreeText(TypeDecorator[str]):
    """Text that somebody outside may have written."""

    impl = Text
    cache_ok = True

    def process_bind_param(
        self,
        value: str | None,
        dialect: Dialect,  # noqa: ARG002
    ) -> str | None:
        cleaned: str | None = storable(value)
        return cleaned


class Double(TypeDecorator[float]):
    """A finite number: no other one can be told in JSON."""

    impl = sqlalchemy.Double
    cache_ok = True

    def process_bind_param(
        self,
        value: float | None,
        dialect: Dialect,  # noqa: ARG002
    ) -> float | None:
        if value is not None and not math.isfinite(value):
            raise ValueError("the number is not finite")
        return value


RowId = BigInteger().with_variant(Integer, "sqlite")
#: A number, an extension or a SIP URI; SQLite holds no text to its length.
Callee = String(16).with_variant(String(LONGEST), "postgresql")


def one_of(column: str, values: tuple[str, ...]) -> CheckConstraint:
    """A CHECK that `column` is one of `values`."""
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=column)


def _call_id(**options: Any) -> Column[str]:
    return Column("call_id", ForeignKey("calls.id", ondelete="CASCADE"), nullable=False, **options)


api_keys = Table(
    "api_keys",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("name", Text, nullable=False),
    Column("prefix", String(16), nullable=False),
    Column("key_hash", String(64), nullable=False, unique=True),
    Column("scope", String(16), nullable=False, server_default="admin"),
    Column("rate_limit_per_minute", Integer),
    Column("dialect", String(16)),
    Column("max_calls_per_day", Integer),
    Column("max_minutes_per_day", Integer),
    Column("max_calls_per_number_per_day", Integer),
    Column("created_at", Double, nullable=False),
    Column("revoked_at", Double),
)

#: Who is signed in at the console.
sessions = Table(
    "sessions",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("api_key_id", ForeignKey("api_keys.id", ondelete="CASCADE"), nullable=False),
    Column("created_at", Double, nullable=False),
    Column("expires_at", Double, nullable=False),
)

#: What the deployment made up for itself, such as the webhook signing secret.
kept_values = Table(
    "kept_values",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("value", Text, nullable=False),
)

#: What processes hold for a time: `node:<id>` says that the process lives.
leases = Table(
    "leases",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("holder", String(64), nullable=False),
    Column("expires_at", Double, nullable=False),
)

#: `name` is what the PBX calls the trunk. No prefix means that every number may be dialled.
trunks = Table(
    "trunks",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("status", String(16), nullable=False),
    Column("description", Text, nullable=False),
    Column("allowed_prefixes", Json, nullable=False),
    Column("max_channels", Integer),
    Column("calls_per_second", Integer),
    Column("allow_refer", Boolean, nullable=False, server_default=false()),
    Column("created_at", Double, nullable=False),
    Column("updated_at", Double, nullable=False),
    Column("priority", Integer, nullable=False, server_default="10"),
    Column("failures", Integer, nullable=False, server_default="0"),
    Column("resting_until", Double),
    Column("rest_reason", FreeText),
    Column("pbx", String(63)),
    Column("dial_string", Text),
    Column("number_rules", Json, nullable=False, server_default="[]"),
    Column("caller_rules", Json, nullable=False, server_default="[]"),
    Column("inbound_number_rules", Json, nullable=False, server_default="[]"),
    Column("inbound_caller_rules", Json, nullable=False, server_default="[]"),
    Column("extensions", Json, nullable=False, server_default="[]"),
    Column("sip_uris", Json, nullable=False, server_default="[]"),
    Column("weight", Integer, nullable=False, server_default="0"),
    one_of("status", ("active", "inactive")),
)

#: Caller numbers; one without a trunk may be shown on all of them.
numbers = Table(
    "numbers",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("number", String(16), nullable=False, unique=True),
    Column("trunk", ForeignKey("trunks.name")),
    Column("status", String(16), nullable=False),
    Column("description", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("updated_at", Double, nullable=False),
    Column("caller_name", FreeText),
    one_of("status", ("active", "inactive")),
)

#: What tools and connections need to know and nobody may read back; sealed (`api.egress.sealing`).
secrets = Table(
    "secrets",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("sealed", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("updated_at", Double, nullable=False),
)

#: `config` is what the operator gave, without defaults: `api.resources.agent_fields`.
agents = Table(
    "agents",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("name", Text, nullable=False),
    Column("type", String(16), nullable=False),
    Column("status", String(16), nullable=False),
    Column("version", Integer, nullable=False),
    Column("config", Json, nullable=False),
    Column("primary_number_id", ForeignKey("numbers.id")),
    Column("created_at", Double, nullable=False),
    Column("updated_at", Double, nullable=False),
    one_of("type", ("outbound", "inbound")),
    one_of("status", ("active", "archived")),
    Index("ix_agents_created_at_id", "created_at", "id"),
)

#: Every state that an agent was in; version 1 is its first.
agent_versions = Table(
    "agent_versions",
    metadata,
    Column("agent_id", ForeignKey("agents.id", ondelete="CASCADE"), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("name", Text, nullable=False),
    Column("config", Json, nullable=False),
    Column("created_at", Double, nullable=False),
)

#: The numbers that an agent calls from, or answers; one answers a number, many call from it.
agent_numbers = Table(
    "agent_numbers",
    metadata,
    Column("agent_id", ForeignKey("agents.id", ondelete="CASCADE"), primary_key=True),
    Column("number_id", ForeignKey("numbers.id", ondelete="CASCADE"), primary_key=True),
    Column("inbound", Boolean, nullable=False),
    Column("created_at", Double, nullable=False),
    Index(
        "uq_agent_numbers_inbound",
        "number_id",
        unique=True,
        sqlite_where=text("inbound"),
        postgresql_where=text("inbound"),
    ),
)

#: Calendars that agents may look at and book in; the password is sealed.
calendar_connections = Table(
    "calendar_connections",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("name", Text, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("url", Text, nullable=False),
    Column("username", Text),
    Column("sealed_password", Text),
    Column("event_types", Json, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("updated_at", Double, nullable=False),
    one_of("kind", ("caldav", "ics")),
)

do_not_call = Table(
    "do_not_call",
    metadata,
    Column("number", String(16), primary_key=True),
    Column("source", String(16), nullable=False),
    Column("reason", FreeText, nullable=False),
    Column("call_id", String(36)),
    Column("created_at", Double, nullable=False),
    one_of("source", ("api", "import", "outcome")),
    Index("ix_do_not_call_created_at_number", "created_at", "number"),
)

#: The rate card: what a connected minute to numbers with this prefix costs.
rates = Table(
    "rates",
    metadata,
    Column("prefix", String(16), primary_key=True),
    Column("milli_cents_per_minute", BigInteger, nullable=False),
    Column("increment_seconds", Integer, nullable=False),
    Column("minimum_seconds", Integer, nullable=False),
    Column("description", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("updated_at", Double, nullable=False),
    CheckConstraint("milli_cents_per_minute >= 0", name="price"),
    CheckConstraint("increment_seconds > 0 AND minimum_seconds >= 0", name="seconds"),
)

#: One row. `reserved` is the sum of what open calls hold; without a limit nothing is refused.
budget = Table(
    "budget",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("limit_milli_cents", BigInteger),
    Column("spent_milli_cents", BigInteger, nullable=False),
    Column("reserved_milli_cents", BigInteger, nullable=False),
    Column("updated_at", Double, nullable=False),
    CheckConstraint("id = 1", name="one"),
    CheckConstraint("reserved_milli_cents >= 0 AND spent_milli_cents >= 0", name="amounts"),
)

budget_entries = Table(
    "budget_entries",
    metadata,
    Column("row_id", RowId, primary_key=True, autoincrement=True),
    Column("at", Double, nullable=False),
    Column("call_id", String(36), index=True),
    Column("kind", String(16), nullable=False),
    Column("milli_cents", BigInteger),
    one_of("kind", ("reserve", "settle", "release", "limit")),
)

campaigns = Table(
    "campaigns",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("name", Text, nullable=False),
    Column("status", String(16), nullable=False),
    Column("paused_reason", String(32)),
    Column("template", Json, nullable=False),
    Column("max_concurrent", Integer, nullable=False),
    Column("api_key_id", String(36)),
    Column("dialect", String(16)),
    Column("created_at", Double, nullable=False),
    Column("started_at", Double),
    Column("completed_at", Double),
    Column("updated_at", Double, nullable=False),
    one_of("status", ("draft", "running", "paused", "completed", "canceled")),
    Index("ix_campaigns_created_at_id", "created_at", "id"),
)

campaign_contacts = Table(
    "campaign_contacts",
    metadata,
    Column("campaign_id", ForeignKey("campaigns.id", ondelete="CASCADE"), primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("to_number", Callee, nullable=False),
    Column("context", Json, nullable=False),
    Column("metadata", Json, nullable=False),
    Column("variables", Json, nullable=False, server_default=text("'{}'")),
    Column("status", String(16), nullable=False),
    Column("call_id", String(36), unique=True),
    Column("error", FreeText),
    UniqueConstraint("campaign_id", "to_number"),
    one_of("status", ("pending", "ordered", "refused")),
    Index("ix_campaign_contacts_campaign_id_status_seq", "campaign_id", "status", "seq"),
)

#: `next_attempt_at` and `waiting_for` are what the dial policy said of a queued call. What holds
#: a due one back (a full trunk, its concurrency key, …) is seen when it is read. A call that is
#: over and has no terminal event yet waits for its `result`.
calls = Table(
    "calls",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("status", String(16), nullable=False),
    Column("direction", String(16), nullable=False),
    Column("to_number", Callee, nullable=False),
    Column("from_number", String(16), nullable=False),
    Column("prompt", Text, nullable=False),
    Column("context", Json, nullable=False),
    Column("returns", Json, nullable=False),
    Column("language", String(16), nullable=False),
    Column("webhook_url", Text),
    Column("metadata", Json, nullable=False),
    Column("max_duration_s", Integer, nullable=False),
    Column("result", Json),
    Column("result_status", String(16), nullable=False),
    Column("result_error", FreeText),
    Column("created_at", Double, nullable=False),
    Column("started_at", Double),
    Column("answered_at", Double),
    Column("ended_at", Double),
    Column("updated_at", Double, nullable=False),
    Column("cancel_requested_at", Double),
    Column("answered_by", String(16)),
    Column("end_reason", String(64)),
    Column("outcome", String(64)),
    Column("hangup_cause", String(64)),
    Column("error_message", FreeText),
    Column("q850_cause", Integer),
    Column("sip_code", Integer),
    Column("sip_call_id", FreeText),
    Column("recording_path", Text),
    Column("media", Json),
    Column("latency", Json, nullable=False),
    Column("event_count", Integer, nullable=False),
    Column("summary", FreeText),
    Column("scheduled_at", Double),
    Column("retry", Json),
    Column("zones", Json, nullable=False, server_default=text("'[]'")),
    Column("force_now", Boolean, nullable=False, server_default=false()),
    Column("concurrency_key", String(128)),
    Column("concurrency_max", Integer),
    Column("campaign_id", String(36)),
    Column("api_key_id", String(36)),
    Column("trunk", String(64)),
    Column("attempt_count", Integer, nullable=False, server_default="0"),
    Column("next_attempt_at", Double),
    Column("waiting_for", String(32)),
    Column("hangup_requested_at", Double),
    Column("rate", Json),
    Column("reservation_status", String(16), nullable=False, server_default="released"),
    Column("reserved_milli_cents", BigInteger, nullable=False, server_default="0"),
    Column("amount_milli_cents", BigInteger),
    Column("transfers_milli_cents", BigInteger, nullable=False, server_default="0"),
    Column("agent_id", String(36)),
    Column("agent_version", Integer),
    Column("agent", Json, nullable=False, server_default=text("'{}'")),
    Column("agent_layers", Json),
    Column("variables", Json, nullable=False, server_default=text("'{}'")),
    Column("dialect", String(16)),
    Column("transfer", Json),
    Column("recording", Json),
    Column("recording_wish", Json),
    Column("web", Boolean, nullable=False, server_default=false()),
    one_of("status", STATUSES),
    one_of("direction", ("outbound", "inbound")),
    one_of("result_status", ("pending", "completed", "failed")),
    one_of("answered_by", ("human", "machine", "ivr", "screening", "unknown")),
    Index("ix_calls_created_at_id", "created_at", "id"),
    Index("ix_calls_status_created_at_id", "status", "created_at", "id"),
    Index("ix_calls_to_number_created_at_id", "to_number", "created_at", "id"),
    Index(
        "ix_calls_api_key_id_created_at",
        "api_key_id",
        "created_at",
        sqlite_where=text("api_key_id IS NOT NULL"),
        postgresql_where=text("api_key_id IS NOT NULL"),
    ),
    Index(
        "ix_calls_agent_id_created_at_id",
        "agent_id",
        "created_at",
        "id",
        sqlite_where=text("agent_id IS NOT NULL"),
        postgresql_where=text("agent_id IS NOT NULL"),
    ),
    Index(
        "ix_calls_due",
        "next_attempt_at",
        "created_at",
        sqlite_where=text("next_attempt_at IS NOT NULL"),
        postgresql_where=text("next_attempt_at IS NOT NULL"),
    ),
    Index(
        "ix_calls_awaiting_result",
        "created_at",
        sqlite_where=text("waiting_for = 'result'"),
        postgresql_where=text("waiting_for = 'result'"),
    ),
    Index(
        "ix_calls_campaign_id_status_next_attempt_at",
        "campaign_id",
        "status",
        "next_attempt_at",
        sqlite_where=text("campaign_id IS NOT NULL"),
        postgresql_where=text("campaign_id IS NOT NULL"),
    ),
    Index(
        "ix_calls_concurrency_key_created_at_id",
        "concurrency_key",
        "created_at",
        "id",
        sqlite_where=text("concurrency_key IS NOT NULL"),
        postgresql_where=text("concurrency_key IS NOT NULL"),
    ),
)

#: The texts among a call's top-level metadata, by which lists are filtered.
call_metadata = Table(
    "call_metadata",
    metadata,
    _call_id(primary_key=True),
    Column("key", String(64), primary_key=True),
    Column("value", String(256), nullable=False),
    Index("ix_call_metadata_key_value_call_id", "key", "value", "call_id"),
)

attempts = Table(
    "attempts",
    metadata,
    Column("id", String(36), primary_key=True),
    _call_id(),
    Column("number", Integer, nullable=False),
    Column("channel_id", String(64), nullable=False, unique=True),
    Column("state", String(16), nullable=False),
    Column("created_at", Double, nullable=False),
    Column("ringing_at", Double),
    Column("early_media_at", Double),
    Column("answered_at", Double),
    Column("ended_at", Double),
    Column("hangup_cause", String(64)),
    Column("message", FreeText),
    Column("q850_cause", Integer),
    Column("sip_code", Integer),
    Column("sip_call_id", FreeText),
    Column("trunk", String(64)),
    Column("concurrency_key", String(128)),
    Column("node_id", String(36)),
    Column("answered_by", String(16)),
    Column("end_reason", String(64)),
    Column("unknown", Boolean, nullable=False, server_default=false()),
    Column("media", Json),
    Column("recording_path", Text),
    Column("amount_milli_cents", BigInteger),
    Column("recording_node", String(64)),
    Column("recording", Json),
    Column("answerer", Json),
    Column("heard_early", Json),
    Column("found_answered_by", String(16)),
    UniqueConstraint("call_id", "number"),
    one_of(
        "state",
        (
            "dialing",
            "ringing",
            "in_progress",
            "completed",
            "no_answer",
            "busy",
            "canceled",
            "failed",
        ),
    ),
    Index(
        "uq_attempts_live",
        "call_id",
        unique=True,
        sqlite_where=text("ended_at IS NULL"),
        postgresql_where=text("ended_at IS NULL"),
    ),
    Index("ix_attempts_trunk_created_at", "trunk", "created_at"),
    Index(
        "ix_attempts_recording_path",
        "recording_path",
        sqlite_where=text("recording_path IS NOT NULL"),
        postgresql_where=text("recording_path IS NOT NULL"),
    ),
    Index(
        "ix_attempts_live_concurrency_key",
        "concurrency_key",
        sqlite_where=text("ended_at IS NULL"),
        postgresql_where=text("ended_at IS NULL"),
    ),
)

#: What is left to do for calls that are erased: their files on a node, which may be down.
erasures = Table(
    "erasures",
    metadata,
    Column("call_id", String(36), primary_key=True),
    Column("node", String(64), primary_key=True),
    Column("attempt_count", Integer, nullable=False),
    Column("asked_at", Double, nullable=False),
    Index("ix_erasures_node", "node"),
)

turns = Table(
    "turns",
    metadata,
    _call_id(primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("speaker", String(8), nullable=False),
    Column("text", FreeText, nullable=False),
    Column("interrupted", Boolean, nullable=False),
    Column("started_at", Double, nullable=False),
    Column("ended_at", Double, nullable=False),
    Column("confidence", Double),
    Column("timings", Json, nullable=False),
    Column("attempt", Integer, nullable=False, server_default="1"),
    Column("tool", Json),
    one_of("speaker", ("agent", "person", "keypad", "tool")),
)

#: Texts and mails that a call sent or is about to send: by a tool, or after it.
messages = Table(
    "messages",
    metadata,
    Column("id", String(36), primary_key=True),
    _call_id(index=True),
    Column("attempt", Integer, nullable=False),
    Column("kind", String(8), nullable=False),
    Column("purpose", String(16), nullable=False),
    Column("recipient", Text, nullable=False),
    Column("sender", Text),
    Column("subject", FreeText),
    Column("body", FreeText),
    Column("status", String(16), nullable=False),
    Column("attempt_count", Integer, nullable=False),
    Column("next_attempt_at", Double),
    Column("last_error", FreeText),
    Column("sent_at", Double),
    Column("created_at", Double, nullable=False),
    Column("updated_at", Double, nullable=False),
    one_of("kind", ("sms", "email")),
    one_of("purpose", ("tool", "after_call", "voicemail", "notification")),
    one_of("status", ("pending", "sent", "failed")),
    CheckConstraint("(status = 'pending') = (next_attempt_at IS NOT NULL)", name="due"),
    Index(
        "ix_messages_due",
        "next_attempt_at",
        sqlite_where=text("status = 'pending'"),
        postgresql_where=text("status = 'pending'"),
    ),
    Index("ix_messages_created_at_id", "created_at", "id"),
)

call_events = Table(
    "call_events",
    metadata,
    Column("row_id", RowId, primary_key=True, autoincrement=True),
    Column("id", String(40), nullable=False, unique=True),
    _call_id(),
    Column("seq", Integer, nullable=False),
    Column("type", String(32), nullable=False),
    Column("at", Double, nullable=False),
    Column("terminal", Boolean, nullable=False, server_default=false()),
    Column("data", Json, nullable=False),
    UniqueConstraint("call_id", "seq"),
    Index(
        "uq_call_events_terminal",
        "call_id",
        unique=True,
        sqlite_where=text("terminal"),
        postgresql_where=text("terminal"),
    ),
)

webhook_endpoints = Table(
    "webhook_endpoints",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("url", Text, nullable=False, unique=True),
    Column("description", Text, nullable=False),
    Column("enabled_events", Json, nullable=False),
    Column("status", String(16), nullable=False),
    Column("disabled_reason", String(32)),
    Column("disabled_at", Double),
    Column("consecutive_failures", Integer, nullable=False),
    Column("secret", Text, nullable=False),
    Column("previous_secret", Text),
    Column("previous_secret_until", Double),
    Column("payload", String(16)),
    Column("created_at", Double, nullable=False),
    Column("updated_at", Double, nullable=False),
    one_of("status", ("enabled", "disabled")),
    one_of("disabled_reason", ("requested", "too_many_failures", "gone")),
    CheckConstraint("(status = 'disabled') = (disabled_reason IS NOT NULL)", name="disabled"),
)

#: `held` waits for its endpoint to be enabled again. `data` is there where no call has the event.
webhook_deliveries = Table(
    "webhook_deliveries",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("call_id", ForeignKey("calls.id", ondelete="CASCADE"), index=True),
    Column("event_id", String(40), nullable=False),
    Column("event_seq", Integer, nullable=False),
    Column("event_type", String(32), nullable=False),
    Column("terminal", Boolean, nullable=False),
    Column("data", Json),
    Column("endpoint_id", ForeignKey("webhook_endpoints.id", ondelete="CASCADE")),
    Column("inline", Boolean, nullable=False),
    Column("url", Text, nullable=False),
    Column("destination", Text, nullable=False),
    Column("status", String(16), nullable=False),
    Column("attempt_count", Integer, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("manual_retry_count", Integer, nullable=False),
    Column("next_attempt_at", Double),
    Column("last_error", FreeText),
    Column("last_response_status", Integer),
    Column("delivered_at", Double),
    Column("created_at", Double, nullable=False),
    Column("updated_at", Double, nullable=False),
    UniqueConstraint("event_id", "endpoint_id"),
    one_of("status", ("pending", "held", "delivered", "exhausted")),
    CheckConstraint("(status = 'pending') = (next_attempt_at IS NOT NULL)", name="due"),
    Index(
        "ix_webhook_deliveries_due",
        "next_attempt_at",
        sqlite_where=text("status = 'pending'"),
        postgresql_where=text("status = 'pending'"),
    ),
    Index(
        "uq_webhook_deliveries_inline",
        "event_id",
        unique=True,
        sqlite_where=text("inline"),
        postgresql_where=text("inline"),
    ),
    Index("ix_webhook_deliveries_endpoint_id_created_at_id", "endpoint_id", "created_at", "id"),
    Index("ix_webhook_deliveries_created_at_id", "created_at", "id"),
)

webhook_attempts = Table(
    "webhook_attempts",
    metadata,
    Column(
        "delivery_id", ForeignKey("webhook_deliveries.id", ondelete="CASCADE"), primary_key=True
    ),
    Column("number", Integer, primary_key=True),
    Column("at", Double, nullable=False),
    Column("duration_ms", Integer, nullable=False),
    Column("response_status", Integer),
    Column("error", FreeText),
)

#: Each good for one web call; what it may be is frozen in it.
web_call_tokens = Table(
    "web_call_tokens",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("agent_id", ForeignKey("agents.id", ondelete="CASCADE"), nullable=False),
    Column("origin", String(300), nullable=False),
    Column("api_key_id", String(36)),
    Column("variables", Json, nullable=False),
    Column("metadata", Json, nullable=False),
    Column("expires_at", Double, nullable=False),
    Index("ix_web_call_tokens_origin", "origin"),
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("api_key_id", String(36), primary_key=True),
    Column("key", String(255), primary_key=True),
    Column("fingerprint", String(64), nullable=False),
    Column("status_code", Integer, nullable=False),
    Column("body", Text, nullable=False),
    Column("created_at", Double, nullable=False, index=True),
)
