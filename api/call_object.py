"""The call object: the one serializer behind every answer, event and webhook (CB-112).

Its first keys are those of the hosted service's call object with the same meaning (CB-64…91);
the ones after `updated_at` are ours.
"""

import math
from typing import Any, Literal

from pydantic import BaseModel, Field

from api.agents.masking import masked
from api.lifecycle import CallStatus
from api.records import (
    AnsweredBy,
    Attempt,
    Call,
    Direction,
    ReservationStatus,
    ResultStatus,
    Turn,
    WebhookStatus,
)
from api.times import Timestamp, rfc3339, rfc3339_or_none
from api.transfer_records import (
    Transfer,
    TransferMethod,
    TransferMode,
    TransferStatus,
    transfer_of,
)


def whole_seconds(start: float, end: float) -> int:
    """Seconds between two times, rounded to the nearest whole one, halves up."""
    return math.floor(max(0.0, end - start) + 0.5)


class ConcurrencyObject(BaseModel):
    """At most `max` calls of all that bear `key` are live at one time."""

    key: str = Field(examples=["clinic-berlin"])
    max: int = Field(examples=[2])


class TransferObject(BaseModel):
    """The handing over of a call to somebody else."""

    number: str = Field(examples=["+15550100200"], description="To whom, E.164.")
    mode: TransferMode = Field(description="`warm`: whoever answered was briefed first.")
    method: TransferMethod = Field(
        description="`refer`: the carrier calls them. `bridge`: they are called, and joined."
    )
    status: TransferStatus
    reason: str | None = Field(description="Why it failed.")
    at: str = Field(
        json_schema_extra={"format": "date-time"}, description="Since when it has its status."
    )


def transfer_object(transfer: Transfer) -> dict[str, Any]:
    """The JSON object of `transfer`."""
    return _told(transfer).model_dump()


def _told(transfer: Transfer) -> TransferObject:
    return TransferObject(
        number=transfer.number,
        mode=transfer.mode,
        method=transfer.method,
        status=transfer.status,
        reason=transfer.reason,
        at=rfc3339(transfer.at),
    )


class CallObject(BaseModel):
    """One call, as the API tells it."""

    id: str = Field(description="Call id.", json_schema_extra={"format": "uuid"})
    to_number: str = Field(examples=["+15551234567"], description="Number called, E.164.")
    from_number: str = Field(
        examples=["+15559876543"],
        description="Caller number, E.164. Of an inbound call as the trunk told it: digits where "
        "no E.164 can be made of them, `anonymous` where there are none.",
    )
    status: CallStatus = Field(examples=["completed"])
    direction: Direction
    prompt: str = Field(examples=["Confirm the dental appointment."])
    context: dict[str, Any] = Field(examples=[{"patient": "Maria Lopez"}])
    returns: dict[str, Any] = Field(examples=[{"confirmed": "boolean", "reschedule_to": "string"}])
    result: dict[str, Any] | None = Field(
        examples=[{"confirmed": True, "reschedule_to": None}],
        description="What was extracted: every field of `returns`, null where it was not said.",
    )
    result_status: ResultStatus = Field(
        examples=["completed"],
        description="`pending` until the extraction is done; it stays so where none runs (no "
        "`returns`, or nobody was reached).",
    )
    result_error: str | None
    language: str = Field(examples=["en"])
    webhook_url: str | None
    webhook_status: WebhookStatus = Field(
        description="Delivery of the call's last event: `none` without a `webhook_url`."
    )
    webhook_error: str | None = Field(
        description="Error of the last delivery that failed and has not been delivered since."
    )
    created_at: Timestamp
    started_at: str | None = Field(
        examples=["2027-03-01T09:00:02.480Z"],
        description="When it started to ring; where the network told of no ringing, when it was "
        "answered.",
        json_schema_extra={"format": "date-time"},
    )
    answered_at: str | None = Field(
        json_schema_extra={"format": "date-time"}, examples=["2027-03-01T09:00:06.120Z"]
    )
    ended_at: str | None = Field(
        json_schema_extra={"format": "date-time"}, examples=["2027-03-01T09:00:41.300Z"]
    )
    duration_seconds: int | None = Field(
        examples=[39], description="`started_at` to `ended_at`; 0 if it never rang."
    )
    billed_duration_seconds: int | None = Field(
        examples=[35],
        description="`answered_at` to `ended_at`; 0 if unanswered or answered by a machine.",
    )
    billing_amount_milli_cents: int | None = Field(
        examples=[1750],
        description="What the billed time cost by the rate card, in thousandths of a cent; 0 "
        "without one.",
    )
    reservation_status: ReservationStatus = Field(
        examples=["settled"],
        description="The hold on the budget: `settled` if somebody was reached, else `released`.",
    )
    error_code: str | None = Field(
        description="SIP status such as `486`, else the cause's name; null on success."
    )
    error_message: str | None
    hangup_cause: str | None = Field(
        description="Q.850 cause in lower snake case such as `user_busy`; null on success."
    )
    metadata: dict[str, Any] = Field(examples=[{"customer": "42"}])
    updated_at: str = Field(
        json_schema_extra={"format": "date-time"}, examples=["2027-03-01T09:00:42.015Z"]
    )
    max_duration_seconds: int = Field(examples=[600])
    answered_by: AnsweredBy | None = Field(examples=["human"])
    end_reason: str | None = Field(
        examples=["agent_hangup"], description="Why the conversation ended, or the call before it."
    )
    outcome: str | None
    sip_code: int | None = Field(examples=[200])
    q850_cause: int | None = Field(
        examples=[16], description="Q.850 cause number, also of a normal end (16)."
    )
    sip_call_id: str | None = Field(examples=["3f7a9c1e@192.0.2.10"])
    recording_available: bool
    latency: dict[str, Any] = Field(
        examples=[{"first_voiced": {"p50": 479, "max": 612}}],
        description="Per step of an agent turn: `{p50, max}` in milliseconds; empty until the end.",
    )
    summary: str | None = Field(description="What happened and why the outcome is what it is.")
    scheduled_at: Timestamp | None
    retry: dict[str, Any] | None = Field(
        description="The retry policy, completed by its defaults; null: one attempt."
    )
    force_now: bool = Field(examples=[False])
    concurrency: ConcurrencyObject | None
    campaign_id: str | None
    attempt_count: int = Field(description="Attempts made; `/attempts` tells of each.")
    next_attempt_at: str | None = Field(
        description="When a queued call falls due.", json_schema_extra={"format": "date-time"}
    )
    waiting_for: str | None = Field(
        description="What a queued call waits for: `scheduled_at`, `retry_delay`, "
        "`calling_window`; once it is due, `concurrency_key`, `trunk_channels`, "
        "`calls_per_second`, `trunk_inactive`, `number_inactive`, `campaign_paused`, "
        "`campaign_concurrency`, `budget`, or `free_slot`. `result`: it is over and its result is "
        "being extracted."
    )
    agent_id: str | None = Field(description="The stored agent that makes the call.")
    agent_version: int | None = Field(description="Its version when the call was placed.")
    agent: dict[str, Any] = Field(
        examples=[{"instructions": "Confirm the dental appointment."}],
        description="The agent's configuration that holds for this call, merged and frozen: what "
        "was set. Keys of engines and sensitive headers are masked.",
    )
    variables: dict[str, Any] = Field(
        examples=[{"patient": "Maria Lopez"}], description="What stands for `{{name}}`."
    )
    transfer: TransferObject | None = Field(
        description="The last transfer; null where nobody was transferred."
    )


def call_object(call: Call) -> dict[str, Any]:
    """The JSON object of `call`."""
    failed = call.over and call.status != "completed"
    duration = billed = None
    if call.ended_at is not None:
        start = call.started_at if call.started_at is not None else call.ended_at
        duration = whole_seconds(start, call.ended_at)
        billed = billable_seconds(call) or 0
    concurrency = None
    if call.concurrency_key is not None and call.concurrency_max is not None:
        concurrency = ConcurrencyObject(key=call.concurrency_key, max=call.concurrency_max)
    return CallObject(
        id=call.id,
        to_number=call.to_number,
        from_number=call.from_number,
        status=call.status,
        direction=call.direction,
        prompt=call.prompt,
        context=dict(call.context),
        returns=dict(call.returns),
        result=None if call.result is None else dict(call.result),
        result_status=call.result_status,
        result_error=call.result_error,
        language=call.language,
        webhook_url=call.webhook_url,
        webhook_status=call.webhook_status,
        webhook_error=call.webhook_error,
        created_at=rfc3339(call.created_at),
        started_at=rfc3339_or_none(call.started_at),
        answered_at=rfc3339_or_none(call.answered_at),
        ended_at=rfc3339_or_none(call.ended_at),
        duration_seconds=duration,
        billed_duration_seconds=billed,
        billing_amount_milli_cents=call.amount_milli_cents,
        reservation_status=call.reservation_status,
        error_code=_error_code(call) if failed else None,
        error_message=call.error_message if failed else None,
        hangup_cause=call.hangup_cause if failed else None,
        metadata=dict(call.metadata),
        updated_at=rfc3339(call.updated_at),
        max_duration_seconds=call.max_duration_s,
        answered_by=call.answered_by,
        end_reason=call.end_reason,
        outcome=call.outcome,
        sip_code=call.sip_code,
        q850_cause=call.q850_cause,
        sip_call_id=call.sip_call_id,
        recording_available=call.recording_path is not None,
        latency=dict(call.latency),
        summary=call.summary,
        scheduled_at=rfc3339_or_none(call.scheduled_at),
        retry=None if call.retry is None else dict(call.retry),
        force_now=call.force_now,
        concurrency=concurrency,
        campaign_id=call.campaign_id,
        attempt_count=call.attempt_count,
        next_attempt_at=rfc3339_or_none(call.next_attempt_at),
        waiting_for=call.waiting_for,
        agent_id=call.agent_id,
        agent_version=call.agent_version,
        agent=masked(call.agent),
        variables=dict(call.variables),
        transfer=None if (transfer := transfer_of(call)) is None else _told(transfer),
    ).model_dump()


def _error_code(call: Call) -> str | None:
    refused = call.sip_code is not None and call.sip_code >= 300
    return str(call.sip_code) if refused else call.hangup_cause


def billable_seconds(over: Call | Attempt) -> int | None:
    """Connected seconds of what is over; None if no human was reached (CB-45, CB-63)."""
    if over.answered_at is None or over.ended_at is None or over.answered_by == "machine":
        return None
    return whole_seconds(over.answered_at, over.ended_at)


class AttemptObject(BaseModel):
    """One time that the PBX dialled for a call."""

    number: int = Field(description="1 for the first.")
    state: str = Field(examples=["ended"])
    trunk: str | None
    created_at: Timestamp
    ringing_at: Timestamp | None
    early_media_at: Timestamp | None
    answered_at: Timestamp | None
    ended_at: Timestamp | None
    answered_by: AnsweredBy | None
    end_reason: str | None
    hangup_cause: str | None = Field(description="Q.850 cause in lower snake case.")
    message: str | None
    q850_cause: int | None
    sip_code: int | None
    sip_call_id: str | None
    unknown: bool = Field(description="Nobody can say how it ended, so there is no other one.")
    recording_available: bool
    media: dict[str, Any] | None = Field(description="Packets counted on the media leg.")
    billing_amount_milli_cents: int | None = Field(
        description="What it cost; null until it is over.", examples=[2834]
    )


def attempt_object(attempt: Attempt) -> dict[str, Any]:
    """The JSON object of `attempt`."""
    return AttemptObject(
        number=attempt.number,
        state=attempt.state,
        trunk=attempt.trunk,
        created_at=rfc3339(attempt.created_at),
        ringing_at=rfc3339_or_none(attempt.ringing_at),
        early_media_at=rfc3339_or_none(attempt.early_media_at),
        answered_at=rfc3339_or_none(attempt.answered_at),
        ended_at=rfc3339_or_none(attempt.ended_at),
        answered_by=attempt.answered_by,
        end_reason=attempt.end_reason,
        hangup_cause=attempt.hangup_cause,
        message=attempt.message,
        q850_cause=attempt.q850_cause,
        sip_code=attempt.sip_code,
        sip_call_id=attempt.sip_call_id,
        unknown=attempt.unknown,
        recording_available=attempt.recorded,
        media=None if attempt.media is None else dict(attempt.media),
        billing_amount_milli_cents=attempt.amount_milli_cents,
    ).model_dump()


class TurnObject(BaseModel):
    """What was said once."""

    seq: int = Field(description="1 for the first turn.")
    attempt: int = Field(description="In which attempt, 1 for the first.")
    speaker: Literal["agent", "person", "keypad", "tool"]
    text: str = Field(
        examples=["Yes, speaking."],
        description="For the agent, only the words that were heard; for a tool, its output.",
    )
    interrupted: bool
    started_at: Timestamp
    ended_at: Timestamp
    confidence: float | None = Field(description="Of speech recognition, 0 to 1.")
    timings: dict[str, float] = Field(description="Milliseconds by name.")
    tool: dict[str, Any] | None = Field(
        examples=[None],
        description="What a tool was asked and gave: `name`, `arguments`, `output`, `is_error`.",
    )


class Transcript(BaseModel):
    """What was said, in order."""

    call_id: str = Field(json_schema_extra={"format": "uuid"})
    status: CallStatus
    turns: list[TurnObject]


def turn_object(turn: Turn) -> dict[str, Any]:
    """The JSON object of `turn`."""
    return TurnObject(
        seq=turn.seq,
        attempt=turn.attempt,
        speaker=turn.speaker,
        text=turn.text,
        interrupted=turn.interrupted,
        started_at=rfc3339(turn.started_at),
        ended_at=rfc3339(turn.ended_at),
        confidence=turn.confidence,
        timings=dict(turn.timings),
        tool=None if turn.tool is None else dict(turn.tool),
    ).model_dump()


class RecordingLink(BaseModel):
    """A link to a recording that needs no key."""

    url: str = Field(
        examples=[
            "https://calls.example.org/recordings/6f1c2d3e-4b5a-4c6d-8e7f-901234567890/1"
            "?expires=1803888000&signature=5f0c"
        ]
    )
    expires_at: Timestamp


class Erasing(BaseModel):
    """A call that is erased but for files of it."""

    id: str = Field(examples=["6f1c2d3e-4b5a-4c6d-8e7f-901234567890"])
    nodes: list[str] = Field(
        description="Have yet to delete what they have of it: they are down, or cannot; then their "
        "log tells why. They go on by themselves.",
        examples=[["pbx-north-5d1c0a3e"]],
    )
