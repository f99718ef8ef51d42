"""What the store takes and gives: frozen records. Times are Unix seconds."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema
from pydantic.config import JsonDict

from api.base.fields import Body, parse_fields
from api.base.json_object import JsonObject
from api.base.lifecycle import TERMINAL, AnsweredBy, CallStatus
from api.base.money import Rate
from api.base.problems import FieldError, invalid
from api.base.times import Timestamp, rfc3339, rfc3339_or_none, whole_seconds
from api.policy.retry import RetryPolicy
from api.resources.agent_fields import MAX_PROMPT, AgentFields
from api.resources.attempt import Attempt
from api.resources.caps import Caps
from api.resources.dialect import Dialect
from api.resources.masking import masked
from api.resources.transfer import Transfer, TransferObject, transfer_shown

if TYPE_CHECKING:
    pass  # which needs the audio; clients of the API do not

Direction = Literal["outbound", "inbound"]
ResultStatus = Literal["pending", "completed", "failed"]
ReservationStatus = Literal["reserved", "settled", "released"]
WebhookStatus = Literal["none", "pending", "delivered", "failed"]


@dataclass(frozen=True)
class Concurrency:
    """At most `maximum` calls of all that bear `key` are live at one time."""

    key: str
    maximum: int


_NO_CAPS: Final = Caps()


@dataclass(frozen=True)
class NewCall:
    """An order as it comes in, already checked."""

    to_number: str
    from_number: str
    prompt: str
    language: str = "en"
    context: JsonObject = field(default_factory=dict)
    returns: JsonObject = field(default_factory=dict)
    metadata: JsonObject = field(default_factory=dict)
    webhook_url: str | None = None
    max_duration_s: int = 600
    direction: Direction = "outbound"
    trunk: str | None = None
    """Name of the trunk to dial over; None is the PBX's default."""
    scheduled_at: float | None = None
    retry: RetryPolicy | None = None
    zones: tuple[str, ...] = ()
    """Where the callee may be, frozen: IANA names. Empty without `retry`."""
    force_now: bool = False
    concurrency: Concurrency | None = None
    rate: Rate | None = None
    """What the call costs, frozen; None: nothing."""
    campaign_id: str | None = None
    api_key_id: str | None = None
    """Of the key that placed it."""
    agent_id: str | None = None
    agent_version: int | None = None
    agent: JsonObject = field(default_factory=dict)
    """The configuration that holds for the call, frozen; without defaults, secrets sealed."""
    agent_layers: JsonObject | None = None
    """What is merged upon the agent's configuration when the call is first dialled, in place of
    now: `{"inline": …, "overrides": …, "call": …}`."""
    variables: JsonObject = field(default_factory=dict)
    """What stands for `{{name}}` in the configuration's texts."""
    dialect: Dialect | None = None
    """Of the API that it was placed with; None is our own."""
    caps: Caps = _NO_CAPS
    """Looked at when it is queued."""


@dataclass(frozen=True)
class Call:
    """An order as it stands."""

    id: str
    status: CallStatus
    direction: Direction
    to_number: str
    from_number: str
    prompt: str
    context: JsonObject
    returns: JsonObject
    language: str
    webhook_url: str | None
    metadata: JsonObject
    max_duration_s: int
    result: JsonObject | None
    result_status: ResultStatus
    result_error: str | None
    created_at: float
    started_at: float | None
    """When it started to ring; when it was answered, where the network told of no ringing."""
    answered_at: float | None
    ended_at: float | None
    updated_at: float
    cancel_requested_at: float | None
    answered_by: AnsweredBy | None
    end_reason: str | None
    outcome: str | None
    hangup_cause: str | None
    """Q.850 cause in lower snake case, also of a normal end."""
    error_message: str | None
    q850_cause: int | None
    sip_code: int | None
    sip_call_id: str | None
    recording_path: str | None
    """Relative to the recordings folder."""
    media: JsonObject | None
    latency: JsonObject
    """Per timing name: `{"p50": ms, "max": ms}` over the agent's turns; empty before the end."""
    summary: str | None
    scheduled_at: float | None
    retry: JsonObject | None
    """As `retry_json` writes it."""
    zones: Sequence[str]
    force_now: bool
    concurrency_key: str | None
    concurrency_max: int | None
    campaign_id: str | None
    api_key_id: str | None
    trunk: str | None
    attempt_count: int
    next_attempt_at: float | None
    """When the dialer looks at it next; None unless it is queued."""
    waiting_for: str | None
    """Why not now, as the dial policy last said."""
    hangup_requested_at: float | None
    rate: JsonObject | None
    reservation_status: ReservationStatus
    reserved_milli_cents: int
    amount_milli_cents: int | None
    """None until the call is over."""
    transfers_milli_cents: int
    """What the second legs of its transfers cost that are over; spent."""
    agent_id: str | None
    agent_version: int | None
    agent: JsonObject
    """As in `NewCall`."""
    agent_layers: JsonObject | None
    variables: JsonObject
    dialect: Dialect | None
    transfer: JsonObject | None
    """The last transfer of the latest attempt, as `api.resources.transfer.Transfer` writes it."""
    webhook_status: WebhookStatus
    webhook_error: str | None

    @property
    def person_number(self) -> str:
        """Of whom the agent talks to: E.164 of a call that we made, of an inbound one what the
        trunk told."""
        return self.from_number if self.direction == "inbound" else self.to_number

    @property
    def our_number(self) -> str:
        """The other one, E.164."""
        return self.to_number if self.direction == "inbound" else self.from_number

    @property
    def over(self) -> bool:
        """Whether the call has ended (its result may still be on the way)."""
        return self.status in TERMINAL


@dataclass(frozen=True)
class Page:
    """A page of calls, newest first."""

    calls: tuple[Call, ...]
    next_cursor: str | None
    """Where the next page starts; None on the last page."""


_EXAMPLE: Final[JsonDict] = {
    "to": "+15551234567",
    "prompt": "Confirm dental appointment tomorrow at 2pm",
    "context": {"patient": "Maria Lopez", "doctor": "Dr. Chen"},
    "returns": {"confirmed": "boolean", "reschedule_to": "string"},
    "from_number": "+15559876543",
    "metadata": {"customer": "42"},
    "retry": {"max_attempts": 2, "timezone": "America/New_York"},
    "concurrency": {"key": "clinic-berlin", "max": 2},
}
_WHEN: Final[dict[str, Any]] = {
    "anyOf": [{"type": "string", "format": "date-time"}, {"type": "number"}, {"type": "null"}]
}


class ConcurrencyField(Body):
    """A limit shared by all calls with the same key."""

    key: str = Field(
        min_length=1, max_length=128, description="Any text.", examples=["clinic-berlin"]
    )
    max: int = Field(ge=1, le=10_000, description="Most live calls with this key.", examples=[2])


class CreateCall(AgentFields):
    """A call to place: at once, or as `scheduled_at` and `retry` say.

    Beside its own fields it takes every field of an agent, for this call alone."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})
    aliases: ClassVar = {"to_number": "to"}

    to: str = Field(
        description="Number to call, E.164. `to_number` is the same field.",
        examples=["+15551234567"],
    )
    agent_id: str | None = Field(
        default=None, description="The stored agent that makes the call; one of `/v1/agents`."
    )
    agent: AgentFields | None = Field(
        default=None,
        description="An agent for this call alone. With `agent_id`, what it says holds before "
        "what that one says.",
    )
    overrides: AgentFields | None = Field(
        default=None, description="Holds before `agent_id` and `agent`."
    )
    prompt: str | None = Field(
        default=None,
        max_length=MAX_PROMPT,
        description="What the agent is to do on this call; `instructions` is the same field.",
        examples=["Confirm dental appointment tomorrow at 2pm"],
    )
    metadata: dict[str, Any] | None = Field(
        default=None,
        description="Yours; stored and echoed, never shown to the agent.",
        examples=[{"customer": "42"}],
    )
    scheduled_at: Annotated[Any, WithJsonSchema(_WHEN)] = Field(
        default=None,
        description="Not before this time: RFC 3339, or Unix seconds. Past or null: at once. At "
        "most a year ahead.",
        examples=["2027-03-01T09:00:00Z"],
    )
    force_now: bool = Field(
        default=False,
        description="The first attempt ignores calling windows and days; every limit holds.",
    )
    concurrency: ConcurrencyField | None = None


def read_call(body: Any) -> CreateCall:
    """A request's JSON as the fields that it has.

    Raises:
        Problem: 422 with a pointer to every wrong field.
    """
    asked = parse_fields(CreateCall, body)
    if asked.prompt is not None and asked.instructions is not None:
        raise invalid([FieldError("give either prompt or instructions, not both", "/instructions")])
    return asked


def transfer_of(call: Call) -> Transfer | None:
    """The last transfer of the call's latest attempt."""
    return None if call.transfer is None else Transfer(**call.transfer)


class ConcurrencyObject(BaseModel):
    """At most `max` calls of all that bear `key` are live at one time."""

    key: str = Field(examples=["clinic-berlin"])
    max: int = Field(examples=[2])


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
        transfer=None if (transfer := transfer_of(call)) is None else transfer_shown(transfer),
    ).model_dump()


def _error_code(call: Call) -> str | None:
    refused = call.sip_code is not None and call.sip_code >= 300
    return str(call.sip_code) if refused else call.hangup_cause


def billable_seconds(over: Call | Attempt) -> int | None:
    """Connected seconds of what is over; None if no human was reached."""
    if over.answered_at is None or over.ended_at is None or over.answered_by == "machine":
        return None
    return whole_seconds(over.answered_at, over.ended_at)
