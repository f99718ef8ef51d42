"""Calls and assistants as Revox tells them. Null stands for what there is not."""

from collections.abc import Mapping
from typing import Any, Final, Literal

from pydantic import BaseModel, Field

from api.base.json_object import JsonObject
from api.base.times import Timestamp, rfc3339, rfc3339_or_none
from api.compat.call_details import CallDetails
from api.compat.mapping import (
    CALL_STATUS,
    REVOX_RESULT,
    RevoxDialError,
    revox_attempt_status,
    revox_dial_error,
    revox_end,
    state_of,
)
from api.compat.revox.fields import (
    Calendly,
    CustomTool,
    FirstSentenceMode,
    OutputField,
    PromptFlow,
    Provider,
    ThinkingSound,
)
from api.compat.revox.members import members_of, retry_config, with_defaults
from api.policy.retry import WEEKDAYS, CallingWindow, RetryPolicy, Weekday, retry_json
from api.resources.agent_fields import Outcomes
from api.resources.attempt import Attempt
from api.resources.call import Call
from api.resources.masking import masked
from api.resources.turn import Turn
from models.registry import EngineRegistry

RevoxStatus = Literal[
    "initializing",
    "queued_for_calling",
    "calling",
    "scheduled",
    "completed",
    "cancelled",
    "errored",
]

#: What holds for a call that another API placed without a retry policy.
_ONCE: Final = retry_json(
    RetryPolicy(frozenset(WEEKDAYS), (CallingWindow(0, 24 * 60),), max_attempts=1)
)

_ID: Final = "6f1c2d3e-4b5a-4c6d-8e7f-901234567890"
_NUMBER: Final = "+15551234567"
_MODEL: Final[dict[str, Any]] = {"name": "gpt-4.1", "type": "dedicated-instance"}
Id = Field(examples=[_ID])


class RevoxWindow(BaseModel):
    """Hours in which to dial, where the callee is."""

    calling_window_end_time: str = Field(examples=["18:00"])
    calling_window_start_time: str = Field(examples=["10:00"])
    retry_delay_seconds: float = Field(examples=[7200])


class RevoxRetryConfig(BaseModel):
    """When and how often to try, with every default filled in."""

    allowed_days: list[Weekday] = Field(examples=[["monday"]])
    call_twice_in_a_row: bool
    calling_windows: list[RevoxWindow]
    max_retry_attempts: int = Field(examples=[3])
    timezone: str | None = Field(examples=[None])


class RevoxVoice(BaseModel):
    """A voice."""

    id: str = Field(examples=["en"])
    provider: Provider
    speed: float = Field(examples=[1.0])
    volume: float = Field(examples=[1.0])


class RevoxFaqItem(BaseModel):
    """A question that the agent can answer."""

    answer: str = Field(examples=["From nine to five."])
    question: str = Field(examples=["When are you open?"])
    id: str | None = Field(examples=[_ID])
    needs_human_answer: bool
    source: Literal["human", "ai"]


class RevoxAssistant(BaseModel):
    """An assistant: a stored one, or what a call was placed with."""

    id: str = Id
    after_call_sms_prompt: str | None
    background_sound: str | None
    background_sound_volume: float | None
    calendly: Calendly | None
    call_retry_config: RevoxRetryConfig
    created_at: Timestamp
    custom_tools: list[CustomTool]
    email_notification_address: str | None
    email_notification_outcomes: list[Outcomes] | None
    end_of_call_sentence: str | None
    first_sentence: str | None
    first_sentence_delay_ms: int = Field(examples=[400])
    first_sentence_mode: FirstSentenceMode
    from_phone_number: str | None
    human_transfer_mode: Literal["warm", "cold"] | None
    ivr_navigation_enabled: bool
    llm_model: dict[str, Any] = Field(examples=[_MODEL])
    max_call_duration_secs: int | None
    max_duration_end_message: str | None
    name: str = Field(examples=["Dental reminders"])
    organization_id: str = Id
    prompt: str = Field(examples=["Confirm the appointment."])
    prompt_flow: PromptFlow | None
    sms_enabled: bool
    sms_template: str | None
    structured_output_config: list[OutputField] | None
    structured_output_prompt: str | None
    thinking_sound: ThinkingSound | None
    thinking_sound_probability: float | None
    thinking_sound_volume: float | None
    transfer_phone_number: str | None
    updated_at: Timestamp
    voice: RevoxVoice | None = Field(description="Null where no voice speaks the language.")
    voicemail_message: str | None
    voicemail_sms_prompt: str | None
    warm_transfer_summary_instructions: str | None
    webhook_url: str | None
    faq_items: list[RevoxFaqItem]
    pending_faq_count: int = Field(description="FAQ items that need a human's answer.")


class RevoxTurn(BaseModel):
    """What one party said, or a tool did, at one time."""

    content: str = Field(examples=["Yes, speaking."])
    role: Literal["user", "assistant", "tool"]
    tool_arguments: dict[str, Any] | str | None = Field(
        examples=[None], description="A text is what the model wrote in place of a JSON object."
    )
    tool_is_error: bool | None
    tool_name: str | None
    tool_output: str | None


class RevoxAttempt(BaseModel):
    """One attempt at reaching the callee."""

    id: str = Id
    answered_at: Timestamp | None
    dial_error: RevoxDialError | None
    ended_at: Timestamp | None
    phone_number: str = Field(examples=[_NUMBER])
    recording_url: str | None = Field(description="Good for four hours.")
    result: Literal["IVR", "voicemail", "human", "unknown", "ios-screening-filter"] | None
    started_at: Timestamp
    status: Literal["queued", "ringing", "ongoing", "completed", "error"]
    end_reason: str | None = Field(
        description="Where the agent ended it: `tool_end_call`, `voicemail`, `transfer`, "
        "`ivr_no_navigate`."
    )
    ended_by: Literal["agent", "user", "system"] | None
    structured_output: dict[str, Any] | None = Field(examples=[None])
    transcript: list[RevoxTurn]


class RevoxCampaignName(BaseModel):
    """The campaign that placed a call."""

    id: str = Id
    name: str = Field(examples=["Recalls, May"])


class RevoxCall(BaseModel):
    """A call order, which may take several attempts."""

    id: str = Id
    assistant: RevoxAssistant
    call_attempts: list[RevoxAttempt] = Field(description="The newest first.")
    call_retry_config: RevoxRetryConfig
    calls_count: int
    campaign: RevoxCampaignName | None
    created_at: Timestamp
    direction: Literal["inbound", "outbound"]
    first_sentence_delay_ms: int = Field(examples=[400])
    from_phone_number: str = Field(examples=["+15559876543"])
    is_cancelled: bool
    is_completed: bool
    last_call_attempt: RevoxAttempt | None
    llm_model: dict[str, Any] = Field(examples=[_MODEL])
    metadata: dict[str, Any] = Field(examples=[{"customer": "42"}])
    organization_id: str = Id
    prompt_variables: dict[str, Any] = Field(examples=[{"patient": "Maria Lopez"}])
    scheduled_at: Timestamp | None = Field(
        description="Of a `scheduled` order when it is dialled next, else the time asked for."
    )
    status: RevoxStatus
    to_phone_number: str = Field(examples=[_NUMBER])
    updated_at: Timestamp
    outcome: Outcomes | None
    outcome_summary: str | None


class RevoxCallEnvelope(BaseModel):
    """A call."""

    call: RevoxCall


def call_envelope(details: CallDetails) -> dict[str, Any]:
    """The JSON object that answers and webhooks tell a call in."""
    return {"call": call_object(details)}


def call_object(details: CallDetails) -> dict[str, Any]:
    """The JSON object of a call."""
    call = details.call
    attempts = [_attempt(one, details) for one in reversed(details.attempts)]
    assistant = _assistant_of(details)
    status = CALL_STATUS["revox"][state_of(call)]
    campaign = details.campaign
    return {
        "id": call.id,
        "assistant": assistant,
        "call_attempts": attempts,
        "call_retry_config": retry_config(_ONCE if call.retry is None else call.retry),
        "calls_count": call.attempt_count,
        "campaign": None if campaign is None else {"id": campaign.id, "name": campaign.name},
        "created_at": rfc3339(call.created_at),
        "direction": "outbound" if call.direction == "outbound" else "inbound",
        "first_sentence_delay_ms": assistant["first_sentence_delay_ms"],
        "from_phone_number": call.from_number,
        "is_cancelled": status == "cancelled",
        "is_completed": status == "completed",
        "last_call_attempt": attempts[0] if attempts else None,
        "llm_model": assistant["llm_model"],
        "metadata": dict(call.metadata),
        "organization_id": details.organization_id,
        "prompt_variables": dict(call.variables),
        "scheduled_at": rfc3339_or_none(_scheduled_at(call)),
        "status": status,
        "to_phone_number": call.to_number,
        "updated_at": rfc3339(call.updated_at),
        "outcome": call.outcome,
        "outcome_summary": None if call.outcome is None else call.summary,
    }


def _scheduled_at(call: Call) -> float | None:
    """When it is dialled next, while that is awaited; else the time that was asked for."""
    return call.next_attempt_at if state_of(call) == "scheduled" else call.scheduled_at


def _assistant_of(details: CallDetails) -> dict[str, Any]:
    """The assistant that the call was placed with, frozen."""
    call, agent = details.call, details.agent
    config = {"instructions": call.prompt, **call.agent}
    # One made for this call has the call's own id.
    return assistant_object(
        config,
        call.id if agent is None else agent.id,
        details.engines,
        call.language,
        name="inline" if agent is None else agent.name,
        created_at=call.created_at if agent is None else agent.created_at,
        updated_at=call.created_at if agent is None else agent.updated_at,
        organization_id=details.organization_id,
    )


def assistant_object(
    config: JsonObject,
    assistant_id: str,
    engines: EngineRegistry,
    language: str,
    *,
    name: str,
    created_at: float,
    updated_at: float,
    organization_id: str,
) -> dict[str, Any]:
    """The JSON object of an assistant with our configuration `config`, whose calls are held in
    `language` by some of these engines."""
    members = with_defaults(members_of(masked(config)), engines, language)
    own = {
        "id": assistant_id,
        "created_at": rfc3339(created_at),
        "name": name,
        "organization_id": organization_id,
        "updated_at": rfc3339(updated_at),
        "pending_faq_count": sum(one["needs_human_answer"] for one in members["faq_items"]),
    }
    found: Mapping[str, Any] = {**members, **own}
    return {key: found[key] for key in RevoxAssistant.model_fields}


def _attempt(attempt: Attempt, details: CallDetails) -> dict[str, Any]:
    ended_by, end_reason = revox_end(attempt)
    last = attempt.number == details.call.attempt_count
    answered = attempt.answered_at is not None
    return {
        "id": attempt.id,
        "answered_at": rfc3339_or_none(attempt.answered_at),
        "dial_error": revox_dial_error(attempt),
        "ended_at": rfc3339_or_none(attempt.ended_at),
        "phone_number": details.call.to_number,
        "recording_url": details.recordings.get(attempt.number),
        "result": REVOX_RESULT[attempt.answered_by or "unknown"] if answered else None,
        "started_at": rfc3339(attempt.created_at),
        "status": revox_attempt_status(attempt),
        "end_reason": end_reason,
        "ended_by": ended_by,
        "structured_output": dict(details.call.result) if last and details.call.result else None,
        "transcript": [_turn(one) for one in details.turns if one.attempt == attempt.number],
    }


def _turn(turn: Turn) -> dict[str, Any]:
    tool = turn.tool or {}
    role = {"agent": "assistant", "tool": "tool"}.get(turn.speaker, "user")
    return {
        "content": turn.text,
        "role": role,
        "tool_arguments": tool.get("arguments"),
        "tool_is_error": tool.get("is_error"),
        "tool_name": tool.get("name") or None,
        "tool_output": tool.get("output"),
    }
