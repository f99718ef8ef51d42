"""What the store takes and gives: frozen records. Times are Unix seconds."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic.config import JsonDict

from api.base.fields import Body
from api.base.json_object import JsonObject
from api.base.lifecycle import TERMINAL, AnsweredBy, CallStatus
from api.base.money import Rate
from api.base.numbers import DESTINATION
from api.base.times import Timestamp, whole_seconds
from api.policy.retry import RetryPolicy
from api.resources.agent_fields import AgentFields, Prompt
from api.resources.answer import Resource
from api.resources.attempt import Attempt
from api.resources.caps import Caps
from api.resources.dialect import Dialect
from api.resources.masking import masked
from api.resources.quality import QualityObject, quality_of
from api.resources.recording import RecordingFacts, RecordingObject, recording_facts
from api.resources.sip import SipObject, sip_of
from api.resources.transfer import Transfer, TransferObject

Direction = Literal["outbound", "inbound", "web"]
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
    recording: JsonObject | None
    """Of the latest attempt, as `api.resources.recording.RecordingFacts` writes it; None where
    nothing is recorded."""
    recording_wish: JsonObject | None
    """What was asked for last, as `api.resources.recording.RecordingWish` writes it."""
    webhook_status: WebhookStatus
    webhook_error: str | None

    @property
    def person_number(self) -> str:
        """Of whom the agent talks to: E.164 of a call that we made, of an inbound one what the
        trunk told."""
        return self.to_number if self.direction == "outbound" else self.from_number

    @property
    def our_number(self) -> str:
        """The other one, E.164."""
        return self.from_number if self.direction == "outbound" else self.to_number

    @property
    def sip(self) -> JsonObject | None:
        """What an inbound call brought along."""
        return sip_of(self.context) if self.direction == "inbound" else None

    @property
    def quality(self) -> JsonObject | None:
        """Of its latest attempt's line, as `pbx.quality.CallQuality`."""
        return quality_of(self.media)

    @property
    def over(self) -> bool:
        """Whether the call has ended (its result may still be on the way)."""
        return self.status in TERMINAL

    @property
    def duration_seconds(self) -> int | None:
        """Of ringing and talking; None until it is over."""
        if self.ended_at is None:
            return None
        start = self.ended_at if self.started_at is None else self.started_at
        return whole_seconds(start, self.ended_at)

    @property
    def billed_duration_seconds(self) -> int | None:
        """None until it is over."""
        return None if self.ended_at is None else billable_seconds(self) or 0

    @property
    def failed(self) -> bool:
        return self.over and self.status != "completed"

    @property
    def error_code(self) -> str | None:
        refused = self.sip_code is not None and self.sip_code >= 300
        return str(self.sip_code) if self.failed and refused else self.failure_cause

    @property
    def failure(self) -> str | None:
        return self.error_message if self.failed else None

    @property
    def failure_cause(self) -> str | None:
        return self.hangup_cause if self.failed else None

    @property
    def recording_available(self) -> bool:
        return self.recording_path is not None

    @property
    def recording_facts(self) -> RecordingFacts | None:
        """How its latest attempt is recorded."""
        return recording_facts(self.recording)

    @property
    def concurrency(self) -> Concurrency | None:
        if self.concurrency_key is None or self.concurrency_max is None:
            return None
        return Concurrency(self.concurrency_key, self.concurrency_max)

    @cached_property
    def shown(self) -> "CallObject":
        """As the API tells it: to who asks, in events, and under an Idempotency-Key."""
        return CallObject.of(self)


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


class OrderFields(AgentFields):
    """What every call that is asked for has: every field of an agent, for this call alone, and
    those below."""

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
    prompt: Prompt | None = Field(
        default=None,
        description="What the agent is to do on this call; `instructions` is the same field.",
        examples=["Confirm dental appointment tomorrow at 2pm"],
    )
    metadata: dict[str, Any] | None = Field(
        default=None,
        description="Yours; stored and echoed, never shown to the agent.",
        examples=[{"customer": "42"}],
    )
    concurrency: ConcurrencyField | None = None


class CreateCall(OrderFields):
    """A call to place: at once, or as `scheduled_at` and `retry` say.

    Beside its own fields it takes every field of an agent, for this call alone."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})
    aliases: ClassVar = {"to_number": "to"}

    to: str = Field(
        description=f"Number to call: {DESTINATION} `to_number` is the same field.",
        examples=["+15551234567"],
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


def transfer_of(call: Call) -> Transfer | None:
    """The last transfer of the call's latest attempt."""
    return None if call.transfer is None else Transfer(**call.transfer)


class ConcurrencyObject(Resource):
    """At most `max` calls of all that bear `key` are live at one time."""

    key: str = Field(examples=["clinic-berlin"])
    max: int = Field(validation_alias="maximum", examples=[2])


_Number = Annotated[str | None, BeforeValidator(lambda number: number or None)]


class CallObject(Resource):
    """One call, as the API tells it."""

    id: str = Field(description="Call id.", json_schema_extra={"format": "uuid"})
    to_number: _Number = Field(
        examples=["+15551234567"],
        description="Number called: E.164, an extension or a SIP URI; null for a web call.",
    )
    from_number: _Number = Field(
        examples=["+15559876543"],
        description="Caller number, E.164. Of an inbound call as the trunk told it: digits where "
        "no E.164 can be made of them, `anonymous` where there are none. Null for a web call.",
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
    started_at: Timestamp | None = Field(
        examples=["2027-03-01T09:00:02.480Z"],
        description="When it started to ring; where the network told of no ringing, when it was "
        "answered.",
    )
    answered_at: Timestamp | None = Field(examples=["2027-03-01T09:00:06.120Z"])
    ended_at: Timestamp | None = Field(examples=["2027-03-01T09:00:41.300Z"])
    duration_seconds: int | None = Field(
        examples=[39], description="`started_at` to `ended_at`; 0 if it never rang."
    )
    billed_duration_seconds: int | None = Field(
        examples=[35],
        description="`answered_at` to `ended_at`, of the last attempt; 0 if unanswered or answered "
        "by a machine.",
    )
    billing_amount_milli_cents: int | None = Field(
        validation_alias="amount_milli_cents",
        examples=[1750],
        description="What the billed time of all attempts, and transfers, cost by the rate card, "
        "in thousandths of a cent; 0 without one.",
    )
    reservation_status: ReservationStatus = Field(
        examples=["settled"],
        description="The hold on the budget: `settled` if an attempt was answered by other than a "
        "machine, else `released`.",
    )
    error_code: str | None = Field(
        description="SIP status such as `486`, else the cause's name; null on success."
    )
    error_message: str | None = Field(validation_alias="failure")
    hangup_cause: str | None = Field(
        validation_alias="failure_cause",
        description="Q.850 cause in lower snake case such as `user_busy`; null on success.",
    )
    metadata: dict[str, Any] = Field(examples=[{"customer": "42"}])
    updated_at: Timestamp = Field(examples=["2027-03-01T09:00:42.015Z"])
    max_duration_seconds: int = Field(validation_alias="max_duration_s", examples=[600])
    answered_by: AnsweredBy | None = Field(examples=["human"])
    end_reason: str | None = Field(
        examples=["agent_hangup"], description="Why the conversation ended, or the call before it."
    )
    outcome: str | None
    sip_code: int | None = Field(examples=[200])
    q850_cause: int | None = Field(
        examples=[16], description="Q.850 cause number, also of a normal end (16)."
    )
    sip_call_id: str | None = Field(
        examples=["3f7a9c1e@192.0.2.10"],
        description="Of the trunk's leg; known from the ringing on, or the answer.",
    )
    sip: SipObject | None = Field(
        description="What an inbound call brought along; null where that is nothing. The agent "
        "knows it as `context.sip`, its texts as `{{sip_diversion}}`, `{{sip_x_customer}}`, "
        "`{{sip_argument_1}}`."
    )
    recording_available: bool
    recording_details: RecordingObject | None = Field(
        validation_alias="recording_facts",
        description="Of the last attempt that was answered; null where nothing is recorded.",
    )
    latency: dict[str, Any] = Field(
        examples=[{"first_voiced": {"p50": 479, "max": 612}}],
        description="Per step of an agent turn: `{p50, max}` in milliseconds; empty until the end.",
    )
    quality: QualityObject | None = Field(
        description="How good the last attempt's line was, both ways, and what is wrong with it; "
        "null until it is over, and where nobody answered."
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
    next_attempt_at: Timestamp | None = Field(description="When a queued call falls due.")
    waiting_for: str | None = Field(
        description="What a queued call waits for: `scheduled_at`, `retry_delay`, "
        "`calling_window`; `trunk_resting`; once it is due, `concurrency_key`, `trunk_channels`, "
        "`calls_per_second`, `trunk_inactive`, `number_inactive`, `campaign_paused`, "
        "`campaign_concurrency`, `budget`, `free_slot`, or `engine_down`: a language model, "
        "recogniser or voice that it needs does not answer (`/healthz` says which), or is being "
        "tried. `result`: it is over and its result is being extracted."
    )
    agent_id: str | None = Field(description="The stored agent that makes the call.")
    agent_version: int | None = Field(description="Its version when the call was placed.")
    agent: Annotated[dict[str, Any], AfterValidator(masked)] = Field(
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


def billable_seconds(over: Call | Attempt) -> int | None:
    """Connected seconds of what is over; None if nobody was reached who could converse."""
    if over.answered_at is None or over.ended_at is None:
        return None
    if over.answered_by == "machine" or over.end_reason == "no_media":
        return None
    return whole_seconds(over.answered_at, over.ended_at)
