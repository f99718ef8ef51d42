"""Calls and agents as OneInbox tells them."""

import statistics
import string
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

from pydantic import Field

from api.base.json_object import JsonObject
from api.base.times import Timestamp
from api.compat.call_details import CallDetails
from api.compat.mapping import CALL_STATUS, ONEINBOX_END, ONEINBOX_ROLE
from api.compat.told import Told
from api.resources.agent import Agent
from api.resources.call import Call
from api.resources.dialect import EVENT_NAMES
from api.resources.masking import masked
from api.resources.turn import Turn
from api.resources.webhook import WebhookEvent

OneInboxStatus = Literal["queued", "initiated", "in_progress", "completed", "failed"]

_ID: Final = "6f1c2d3e-4b5a-4c6d-8e7f-901234567890"

#: Where each part of the latency is in a turn's timings: from one mark, or from the end of what
#: the person said, to another.
_LATENCIES: Final[Mapping[str, tuple[str | None, str]]] = {
    "llm_ttft": ("transcript_ms", "first_token_ms"),
    "tts_ttfb": ("first_token_ms", "first_audio_ms"),
    "eou_delay": (None, "endpoint_ms"),
}


class OneInboxMessage(Told):
    """What one party said, or a tool did, at one time."""

    role: Literal["assistant", "user", "tool"]
    content: str = Field(examples=["Yes, speaking."])
    started_at: Timestamp
    ended_at: Timestamp
    interrupted: bool
    tool_name: str | None
    tool_arguments: dict[str, Any] | str | None = Field(
        examples=[None], description="A text is what the model wrote in place of a JSON object."
    )
    tool_is_error: bool | None


class OneInboxCall(Told):
    """A call: always all 27 keys."""

    id: str = Field(json_schema_extra={"format": "uuid"})
    agent_id: str = Field(
        examples=[_ID], description="The call's own id where no stored agent makes it."
    )
    type: Literal["outbound", "inbound", "web"]
    status: OneInboxStatus
    from_number: str | None = Field(examples=["+15559876543"])
    to_number: str | None = Field(
        examples=["+15551234567"], description="Null for a web call, as is `from_number`."
    )
    room_name: None = Field(description="Calls have no rooms here.")
    direction: Literal["outbound", "inbound"] = Field(description="A web call is inbound.")
    scheduled_at: Timestamp | None
    variables: dict[str, Any] = Field(examples=[{"patient": "Maria Lopez"}])
    started_at: Timestamp | None = Field(
        examples=["2027-03-01T09:00:02.480Z"], description="When it started to ring."
    )
    ended_at: Timestamp | None
    duration_seconds: float | None = Field(
        examples=[38.82], description="`started_at` to `ended_at`; 0 if it never rang."
    )
    end_reason: str | None = Field(
        examples=["agent_hangup"], description="As ours, but `api_stop` and `silence_timeout`."
    )
    transcript: str | None = Field(
        examples=["Agent: Hello.\nUser: Hello."], description="Null until the end."
    )
    messages: list[OneInboxMessage] = Field(description="Empty until the end.")
    recording_url: str | None = Field(description="Needs no key; good for four hours.")
    analysis: dict[str, Any] = Field(
        examples=[{"outcome": "Interested", "summary": "She comes.", "structured_data": None}],
        description="`{outcome, summary, structured_data}`; empty until it is made.",
    )
    latency: dict[str, Any] = Field(
        examples=[
            {
                "llm_ttft": {
                    "avg_ms": 210.5,
                    "p50_ms": 198.0,
                    "min_ms": 180.2,
                    "max_ms": 260.0,
                    "samples": 3,
                }
            }
        ],
        description="`llm_ttft`, `tts_ttfb` and `eou_delay`; empty until the end.",
    )
    cost_cents: int | None = Field(
        examples=[3], description="Halves are rounded up; null without a rate for the number."
    )
    metadata: dict[str, Any] = Field(examples=[{"customer": "42"}])
    created_at: Timestamp
    updated_at: Timestamp
    twilio_call_sid: None = Field(description="No Twilio has part in it.")
    outcome: str | None = Field(examples=["Interested"])
    ai_summary: str | None
    credits_used: float | None = Field(examples=[0.647], description="Minutes.")


def oneinbox_call(details: CallDetails) -> OneInboxCall:
    """A call as the service tells it."""
    call = details.call
    said = (
        [turn for turn in details.turns if turn.attempt == call.attempt_count] if call.over else []
    )
    duration = _duration(call)
    label = outcome_label(call)
    own = {
        "agent_id": call.agent_id or call.id,
        "type": call.direction,
        "direction": "outbound" if call.direction == "outbound" else "inbound",
        "from_number": call.from_number or None,
        "to_number": call.to_number or None,
        "status": CALL_STATUS["oneinbox"][call.status],
        "duration_seconds": duration,
        "end_reason": ONEINBOX_END.get(call.end_reason or "", call.end_reason),
        "transcript": _transcript(said),
        "messages": [oneinbox_message(turn) for turn in said],
        "recording_url": details.recordings.get(call.attempt_count),
        "analysis": _analysis(call, label),
        "latency": _latency(said),
        "cost_cents": _cents(call),
        "outcome": label,
        "ai_summary": call.summary,
        "credits_used": None if duration is None else round(duration / 60, 4),
    }
    return OneInboxCall.made_of(vars(call), own)


def outcome_label(call: Call) -> str | None:
    """The outcome in Title Case. Where nobody was reached, no model has to tell it."""
    if call.outcome is not None:
        return string.capwords(call.outcome.replace("_", " "))
    if not call.over:
        return None
    if call.answered_by == "machine":
        return "Voicemail"
    return "Not Connected" if call.answered_at is None else None


def outcome_of(label: str) -> str:
    """The outcome of ours that a label stands for."""
    return "_".join(label.lower().replace("_", " ").split())


def oneinbox_message(turn: Turn) -> OneInboxMessage:
    """A turn as the service tells it."""
    of_tool = {f"tool_{name}": value for name, value in (turn.tool or {}).items()}
    own = {"role": ONEINBOX_ROLE[turn.speaker], "content": turn.text}
    return OneInboxMessage.made_of(vars(turn), of_tool, own)


def webhook_content(details: CallDetails, event: WebhookEvent) -> dict[str, Any]:
    """What webhooks tell of an event: its name, and the call as it is now."""
    content = {
        "event": EVENT_NAMES["oneinbox"].get(event.type, event.type),
        "call_id": details.call.id,
        **oneinbox_call(details).model_dump(),
    }
    if (turn := event.data.get("turn")) is not None:
        content["message"] = {"role": ONEINBOX_ROLE[turn["speaker"]], "content": turn["text"]}
    return content


def _duration(call: Call) -> float | None:
    if call.ended_at is None:
        return None
    start = call.ended_at if call.started_at is None else call.started_at
    return round(max(0.0, call.ended_at - start), 3)


def _transcript(said: Sequence[Turn]) -> str | None:
    speakers = {"agent": "Agent", "person": "User", "keypad": "User"}
    lines = [f"{speakers[one.speaker]}: {one.text}" for one in said if one.speaker in speakers]
    return "\n".join(lines) or None


def _analysis(call: Call, label: str | None) -> dict[str, Any]:
    if not call.over or call.waiting_for == "result":
        return {}
    result = None if call.result is None else dict(call.result)
    return {"outcome": label, "summary": call.summary, "structured_data": result}


def _latency(said: Sequence[Turn]) -> dict[str, Any]:
    found = {}
    for name, (start, end) in _LATENCIES.items():
        samples = [
            max(0.0, turn.timings[end] - (0.0 if start is None else turn.timings[start]))
            for turn in said
            if end in turn.timings and (start is None or start in turn.timings)
        ]
        if samples:
            found[name] = {
                "avg_ms": round(statistics.fmean(samples), 1),
                "p50_ms": round(statistics.median(samples), 1),
                "min_ms": round(min(samples), 1),
                "max_ms": round(max(samples), 1),
                "samples": len(samples),
            }
    return found


def _cents(call: Call) -> int | None:
    if call.rate is None or call.amount_milli_cents is None:
        return None
    return (call.amount_milli_cents + 500) // 1000


class OneInboxLlm(Told):
    """The language model."""

    model: str | None = Field(examples=["local"])
    temperature: float | None
    system_prompt: str | None = Field(examples=["Confirm the appointment."])


class OneInboxTranscriber(Told):
    """Speech recognition."""

    model: str | None
    language: str | None


class OneInboxTts(Told):
    """The voice."""

    voice_id: str | None = Field(examples=["en"])
    model: str | None
    speed: float | None
    stability: float | None


class OneInboxAgent(Told):
    """A stored agent; null stands for the deployment's default."""

    id: str = Field(json_schema_extra={"format": "uuid"})
    name: str = Field(examples=["Dental reminders"])
    llm_id: str | None = Field(examples=["local"])
    llm: OneInboxLlm
    transcriber: OneInboxTranscriber
    tts: OneInboxTts
    first_message: str | None
    silence_timeout_seconds: float | None
    max_duration_seconds: int | None
    interruption_sensitivity: float | None
    enable_recording: bool | None
    voicemail_message: str | None
    created_at: Timestamp
    updated_at: Timestamp


def oneinbox_agent(agent: Agent) -> OneInboxAgent:
    """A stored agent as the service tells it."""
    config: JsonObject = masked(agent.config)
    llm, voice = config.get("llm") or {}, config.get("voice") or {}
    texts = filter(None, (config.get("persona"), config.get("instructions")))
    own = {
        "llm_id": llm.get("model"),
        "llm": OneInboxLlm.made_of(llm, {"system_prompt": "\n\n".join(texts) or None}),
        "transcriber": OneInboxTranscriber.made_of(config.get("transcriber") or {}),
        "tts": OneInboxTts.made_of(voice, {"voice_id": voice.get("id")}),
        "first_message": _first_message(config),
        "interruption_sensitivity": _sensitivity(config),
        "enable_recording": config.get("recording"),
    }
    return OneInboxAgent.made_of(config, vars(agent), own)


def _first_message(config: JsonObject) -> str | None:
    """The agent's first words. Empty: the person speaks first; None: the model makes them."""
    match config.get("first_sentence_mode"):
        case "none":
            return ""
        case "static":
            return config.get("first_sentence")
    return None


def _sensitivity(config: JsonObject) -> float | None:
    """As it is set; else what `interruptible` stands for."""
    kept: float | None = config.get("interruption_sensitivity")
    interruptible = config.get("interruptible")
    if kept is not None or interruptible is None:
        return kept
    return 0.5 if interruptible else 0.0
