"""What each dialect calls what we have: the one table of statuses, reasons, events and fields.

`docs/compat.md` is made from it (`python -m api.compat.docs`).
"""

from collections.abc import Iterator, Mapping
from typing import Final, Literal, get_args

from api.base.lifecycle import STATUSES, AnsweredBy
from api.resources.attempt import Attempt
from api.resources.call import Call
from api.resources.campaign import CampaignStatus, ContactStatus
from api.resources.dialect import SCHEDULED, CallState, Dialect
from api.resources.turn import Speaker


def state_of(call: Call) -> CallState:
    """The state that a call is in."""
    if call.status == "queued" and call.waiting_for in SCHEDULED:
        return "scheduled"
    if call.over and call.waiting_for == "result":
        return "analyzing"
    return call.status


#: `initializing` is never seen: an order is on disk before it is answered. A call is
#: `calling` until its result is there, so that who polls for `completed` finds it.
REVOX_STATUS: Final[Mapping[CallState, str]] = {
    "queued": "queued_for_calling",
    "scheduled": "scheduled",
    "initiated": "calling",
    "ringing": "calling",
    "in_progress": "calling",
    "analyzing": "calling",
    "completed": "completed",
    "no_answer": "completed",
    "busy": "completed",
    "canceled": "cancelled",
    "failed": "errored",
}

#: Our statuses, final at the hang-up; `result_status` tells of the extraction.
CALLINGBOX_STATUS: Final[Mapping[CallState, str]] = {
    **{status: status for status in STATUSES},
    "scheduled": "queued",
    "analyzing": "completed",
}

#: Final at the hang-up; `analysis` is filled when the result is there.
ONEINBOX_STATUS: Final[Mapping[CallState, str]] = {
    "queued": "queued",
    "scheduled": "queued",
    "initiated": "initiated",
    "ringing": "initiated",
    "in_progress": "in_progress",
    "analyzing": "completed",
    "completed": "completed",
    "no_answer": "failed",
    "busy": "failed",
    "canceled": "failed",
    "failed": "failed",
}

#: In the order in which a call goes through them.
STATES: Final[tuple[CallState, ...]] = tuple(REVOX_STATUS)

CALL_STATUS: Final[Mapping[Dialect, Mapping[CallState, str]]] = {
    "callingbox": CALLINGBOX_STATUS,
    "oneinbox": ONEINBOX_STATUS,
    "revox": REVOX_STATUS,
}

#: Who answered.
CALLINGBOX_ANSWERED_BY: Final[Mapping[AnsweredBy, Literal["human", "machine", "unknown"]]] = {
    "human": "human",
    "machine": "machine",
    "ivr": "unknown",
    "screening": "unknown",
    "unknown": "unknown",
}

# -- an attempt ----------------------------------------------------------------------------------

#: Who answered.
REVOX_RESULT: Final[Mapping[str, str]] = {
    "human": "human",
    "machine": "voicemail",
    "ivr": "IVR",
    "screening": "ios-screening-filter",
    "unknown": "unknown",
}

#: Of an attempt that is not over; after that it is `completed` if it was answered, else `error`.
REVOX_ATTEMPT_STATUS: Final[Mapping[str, str]] = {
    "dialing": "queued",
    "ringing": "ringing",
    "in_progress": "ongoing",
}

RevoxDialError = Literal[
    "number_non_attributed",
    "too_many_calls",
    "busy",
    "temporarily_unavailable",
    "no_answer",
    "no_international_permission",
    "precondition_failed",
    "non_classified_error",
]
REVOX_DIAL_ERRORS: Final[tuple[RevoxDialError, ...]] = get_args(RevoxDialError)

#: SIP status codes (RFC 3261).
REVOX_DIAL_ERROR_OF_SIP: Final[Mapping[int, RevoxDialError]] = {
    403: "no_international_permission",
    404: "number_non_attributed",
    408: "no_answer",
    410: "number_non_attributed",
    412: "precondition_failed",
    429: "too_many_calls",
    480: "temporarily_unavailable",
    484: "number_non_attributed",
    486: "busy",
    487: "no_answer",
    488: "precondition_failed",
    500: "temporarily_unavailable",
    502: "temporarily_unavailable",
    503: "too_many_calls",
    504: "temporarily_unavailable",
    580: "precondition_failed",
    600: "busy",
    604: "number_non_attributed",
}
#: Q.850 causes, where there is no SIP status.
REVOX_DIAL_ERROR_OF_Q850: Final[Mapping[int, RevoxDialError]] = {
    1: "number_non_attributed",
    17: "busy",
    18: "no_answer",
    19: "no_answer",
    22: "number_non_attributed",
    28: "number_non_attributed",
    34: "too_many_calls",
    38: "temporarily_unavailable",
    41: "temporarily_unavailable",
    42: "too_many_calls",
    102: "temporarily_unavailable",
}
#: How an attempt ended, where there is neither.
REVOX_DIAL_ERROR_OF_STATUS: Final[Mapping[str, RevoxDialError]] = {
    "busy": "busy",
    "no_answer": "no_answer",
}

#: Why a conversation ended, as `ended_by` and `end_reason`.
REVOX_END: Final[Mapping[str, tuple[str, str | None]]] = {
    "agent_hangup": ("agent", "tool_end_call"),
    "voicemail": ("agent", "voicemail"),
    "transferred": ("agent", "transfer"),
    "ivr_no_navigate": ("agent", "ivr_no_navigate"),
    "person_hangup": ("user", None),
    "silence": ("system", None),
    "max_duration": ("system", None),
    "engine_error": ("system", None),
    "operator_hangup": ("system", None),
}


def revox_attempt_status(attempt: Attempt) -> str:
    """The service's `status` of an attempt."""
    if attempt.ended_at is None:
        return REVOX_ATTEMPT_STATUS.get(attempt.state, "queued")
    return "completed" if attempt.answered_at is not None else "error"


def revox_dial_error(attempt: Attempt) -> RevoxDialError | None:
    """Why dialling failed; None of an attempt that was answered, canceled, or is not over."""
    if attempt.ended_at is None or attempt.answered_at is not None or attempt.state == "canceled":
        return None
    return (
        REVOX_DIAL_ERROR_OF_SIP.get(attempt.sip_code or 0)
        or REVOX_DIAL_ERROR_OF_Q850.get(attempt.q850_cause or 0)
        or REVOX_DIAL_ERROR_OF_STATUS.get(attempt.state, "non_classified_error")
    )


def revox_end(attempt: Attempt) -> tuple[str | None, str | None]:
    """An attempt's `ended_by` and `end_reason`; (None, None) unless it was answered and is over."""
    if attempt.ended_at is None or attempt.answered_at is None:
        return None, None
    return REVOX_END.get(attempt.end_reason or "", ("system", None))


#: Why a call ended; other reasons are told as ours.
ONEINBOX_END: Final[Mapping[str, str]] = {
    "operator_hangup": "api_stop",
    "canceled": "api_stop",
    "silence": "silence_timeout",
}

#: Who said it.
ONEINBOX_ROLE: Final[Mapping[Speaker, Literal["assistant", "user", "tool"]]] = {
    "agent": "assistant",
    "person": "user",
    "keypad": "user",
    "tool": "tool",
}

# -- campaigns -----------------------------------------------------------------------------------

#: A canceled campaign has `is_cancelled` too.
REVOX_CAMPAIGN_STATUS: Final[Mapping[CampaignStatus, str]] = {
    "draft": "draft",
    "running": "running",
    "paused": "paused",
    "completed": "completed",
    "canceled": "completed",
}
REVOX_ROW_STATUS: Final[Mapping[ContactStatus, str]] = {
    "pending": "pending",
    "ordered": "called",
    "refused": "error",
}

# -- fields --------------------------------------------------------------------------------------

#: Members of a Revox assistant that are fields of our agents as they are.
REVOX_SAME: Final[Mapping[str, str]] = {
    "prompt": "instructions",
    "after_call_sms_prompt": "after_call_sms_prompt",
    "background_sound": "background_sound",
    "background_sound_volume": "background_sound_volume",
    "email_notification_address": "email_notification_address",
    "email_notification_outcomes": "email_notification_outcomes",
    "end_of_call_sentence": "end_of_call_sentence",
    "first_sentence": "first_sentence",
    "first_sentence_delay_ms": "first_sentence_delay_ms",
    "first_sentence_mode": "first_sentence_mode",
    "from_phone_number": "from_number",
    "max_call_duration_secs": "max_duration_seconds",
    "max_duration_end_message": "max_duration_end_message",
    "prompt_flow": "prompt_flow",
    "structured_output_prompt": "returns_prompt",
    "thinking_sound": "thinking_sound",
    "thinking_sound_probability": "thinking_sound_probability",
    "thinking_sound_volume": "thinking_sound_volume",
    "voicemail_message": "voicemail_message",
    "voicemail_sms_prompt": "voicemail_sms_prompt",
    "webhook_url": "webhook_url",
}
#: Members that become something else.
REVOX_MADE: Final[Mapping[str, str]] = {
    "calendly": "tools (`calendar`)",
    "call_retry_config": "retry",
    "custom_tools": "tools (`http`)",
    "faq_items": "faq_items",
    "human_transfer_mode": "tools (`transfer`: `mode`)",
    "ivr_navigation_enabled": "tools (`send_digits`, `skip_turn`)",
    "llm_model": "llm",
    "sms_enabled": "tools (`send_sms`)",
    "sms_template": "tools (`send_sms`: `template`)",
    "structured_output_config": "returns",
    "transfer_phone_number": "tools (`transfer`: `number`)",
    "voice": "voice",
    "warm_transfer_summary_instructions": "tools (`transfer`: `summary_instructions`)",
}
#: Members of a retry policy and of its windows, in the service's words.
REVOX_RETRY: Final[Mapping[str, str]] = {
    "start": "calling_window_start_time",
    "end": "calling_window_end_time",
    "max_attempts": "max_retry_attempts",
}
#: Members of a Revox call order that are fields of our orders as they are.
REVOX_ORDER_SAME: Final[Mapping[str, str]] = {
    "force_now": "force_now",
    "from_phone_number": "from_number",
    "metadata": "metadata",
    "prompt_variables": "variables",
    "scheduled_at": "scheduled_at",
}
#: Members that become something else.
REVOX_ORDER_MADE: Final[Mapping[str, str]] = {
    "assistant": "agent",
    "assistant_id": "agent_id",
    "concurrency": "concurrency",
    "phone_number": "to",
}

#: Members of a OneInbox agent that are fields of our agents as they are.
ONEINBOX_SAME: Final[Mapping[str, str]] = {
    "silence_timeout_seconds": "silence_timeout_seconds",
    "max_duration_seconds": "max_duration_seconds",
    "interruption_sensitivity": "interruption_sensitivity",
    "enable_recording": "recording",
}
#: Members of OneInbox's agents, and of overrides, that become something else.
ONEINBOX_MADE: Final[Mapping[str, str]] = {
    "first_message": "first_sentence, first_sentence_mode",
    "llm.model": "llm.model",
    "llm.system_prompt": "instructions, persona",
    "llm.temperature": "llm.temperature",
    "transcriber.language": "transcriber.language, language",
    "transcriber.model": "transcriber.model",
    "tts.model": "voice.model",
    "tts.speed": "voice.speed",
    "tts.stability": "voice.stability",
    "tts.voice_id": "voice.id",
}
ONEINBOX_AGENT: Final[Mapping[str, str]] = {
    "llm_id": "llm.model",
    "voicemail_message": "voicemail_message, voicemail_action",
}
#: Members of a OneInbox call that are fields of our orders as they are.
ONEINBOX_ORDER_SAME: Final = (
    "agent_id",
    "from_number",
    "metadata",
    "scheduled_at",
    "variables",
    "webhook_url",
)
#: Members that become something else.
ONEINBOX_ORDER_MADE: Final[Mapping[str, str]] = {"overrides": "overrides", "to_number": "to"}

#: Members of a CallingBox agent that are not fields of our agents as they are.
CALLINGBOX_AGENT: Final[Mapping[str, str]] = {"voice": "voice.id"}

FIELDS: Final[Mapping[Dialect, Mapping[str, Mapping[str, str]]]] = {
    "callingbox": {"Agent": CALLINGBOX_AGENT},
    "oneinbox": {
        "Call": {**{name: name for name in ONEINBOX_ORDER_SAME}, **ONEINBOX_ORDER_MADE},
        "Overrides": ONEINBOX_MADE,
        "Agent": {**ONEINBOX_SAME, **ONEINBOX_MADE, **ONEINBOX_AGENT},
    },
    "revox": {
        "Order": {**REVOX_ORDER_SAME, **REVOX_ORDER_MADE},
        "Assistant": {**REVOX_SAME, **REVOX_MADE},
    },
}


#: Members of CallingBox's calls and agents that are our fields as they are.
CALLINGBOX_SAME: Final = (
    *("to", "from_number", "agent_id", "prompt", "instructions", "persona", "context", "returns"),
    *("language", "tools", "webhook_url", "voicemail_action", "metadata"),
    *("name", "number_ids", "primary_number_id"),
)


def _names(dialect: Dialect) -> Iterator[tuple[str, str]]:
    if dialect == "callingbox":
        yield from ((name, name) for name in CALLINGBOX_SAME)
    for table in FIELDS[dialect].values():
        for theirs, ours in table.items():
            yield from ((one, theirs) for one in ours.split(", ") if "`" not in one)


#: What each dialect calls our fields, at any depth (`voice.id`): errors are told so.
NAMES: Final[Mapping[Dialect, Mapping[str, str]]] = {
    # The first table that has a field holds.
    dialect: dict(reversed([*_names(dialect)]))
    for dialect in FIELDS
}
