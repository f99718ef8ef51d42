"""What the store takes and gives: frozen records. Times are Unix seconds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from api.caps import Caps
from api.dialing.retry import RetryPolicy
from api.lifecycle import TERMINAL, CallStatus
from api.money import Rate

if TYPE_CHECKING:
    from pbx.switch import Cause  # which needs the audio; clients of the API do not

Direction = Literal["outbound", "inbound"]
ResultStatus = Literal["pending", "completed", "failed"]
ReservationStatus = Literal["reserved", "settled", "released"]
WebhookStatus = Literal["none", "pending", "delivered", "failed"]
AnsweredBy = Literal["human", "machine", "ivr", "screening", "unknown"]
Speaker = Literal["agent", "person", "keypad", "tool"]
Dialect = Literal["callingbox", "oneinbox", "revox"]
"""Whose API a client speaks, where it is not our own."""
JsonObject = Mapping[str, Any]


@dataclass(frozen=True)
class Concurrency:
    """At most `maximum` calls of all that bear `key` are live at one time (RV-255…259)."""

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
    now (OI-14): `{"inline": …, "overrides": …, "call": …}`."""
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
    """The last transfer of the latest attempt, as `api.transfer_records.Transfer` writes it."""
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
class Attempt:
    """One time that the PBX dialled for an order."""

    id: str
    call_id: str
    number: int
    """1 for the first."""
    channel_id: str
    """`offhook-<uuid>`, on disk before the PBX is told."""
    state: str
    created_at: float
    ringing_at: float | None
    early_media_at: float | None
    answered_at: float | None
    ended_at: float | None
    hangup_cause: str | None
    message: str | None
    q850_cause: int | None
    sip_code: int | None
    sip_call_id: str | None
    trunk: str | None
    concurrency_key: str | None
    node_id: str | None
    """Of the process that dialled."""
    answered_by: AnsweredBy | None
    end_reason: str | None
    unknown: bool
    """Nobody can say how it ended: it may have rung, or talked."""
    media: JsonObject | None
    recording_path: str | None
    """File name in the recordings folder; on disk before the file is."""
    amount_milli_cents: int | None
    recording_node: str | None
    """Whose folder; None of what an earlier release recorded, until its node claims it."""

    @property
    def recorded(self) -> bool:
        """Whether there is a recording to be fetched."""
        return self.recording_path is not None and self.ended_at is not None


@dataclass(frozen=True)
class RecordingFile:
    """Where an attempt is going to be recorded."""

    node: str
    name: str
    """In that node's recordings folder."""


@dataclass(frozen=True)
class Claim:
    """An order that the dialer has taken, with the attempt that it must now dial."""

    call: Call
    attempt: Attempt
    calls_per_second: int | None = None
    """That its trunk takes."""


@dataclass(frozen=True)
class Claimed:
    """What the dialer got."""

    claims: tuple[Claim, ...]
    again_at: float | None
    """When a call falls due next, Unix seconds; None: only news can help."""


@dataclass(frozen=True)
class Unfinished:
    """A call without its terminal event, whose process is gone."""

    call: Call
    attempt: Attempt | None
    """The latest attempt; live if its `ended_at` is None."""


@dataclass(frozen=True)
class Turn:
    """What was said once: for the agent, only the words that were heard."""

    speaker: Speaker
    text: str
    started_at: float
    ended_at: float
    interrupted: bool = False
    confidence: float | None = None
    """0 to 1, of speech recognition; None for the agent."""
    timings: Mapping[str, float] = field(default_factory=dict)
    """Milliseconds by name."""
    tool: JsonObject | None = None
    """Of a turn of speaker `tool`: `{"name", "arguments", "output", "is_error"}`; its text is the
    output."""
    seq: int = 0
    """1 for the first turn of the call; given by the store."""
    attempt: int = 1
    """In which attempt; given by the store."""


@dataclass(frozen=True)
class Ended:
    """How an attempt ended, and with it the call, unless its retry policy wants another."""

    at: float
    cause: "Cause"
    """`cause.state` becomes the call's status."""
    end_reason: str
    """Lower snake case, up to 64 characters."""
    awaits_result: bool = False
    """Whether `record_result` follows; until then the terminal event is withheld (CB-53)."""
    unknown: bool = False
    """Nobody can say what became of the attempt, so the number is not dialled again."""
    answered_by: AnsweredBy | None = None
    media: JsonObject | None = None
    recording_path: str | None = None
    """Relative to the recordings folder."""
    recording_seconds: float = 0.0
    recording_bytes: int | None = 0
    """Of the file; None: a crash cut it short, and it is not announced."""


@dataclass(frozen=True)
class CallEvent:
    """One thing that happened to a call, as it was committed."""

    id: str
    """`evt_…`, unique for ever; the webhook id."""
    call_id: str
    seq: int
    """1 for the call's first event, without gaps."""
    type: str
    at: float
    terminal: bool
    """Whether it is the call's last event."""
    data: JsonObject


@dataclass(frozen=True)
class Page:
    """A page of calls, newest first."""

    calls: tuple[Call, ...]
    next_cursor: str | None
    """Where the next page starts; None on the last page."""


@dataclass(frozen=True)
class StoredAnswer:
    """The answer that a request with this `Idempotency-Key` was given."""

    fingerprint: str
    status_code: int
    body: str


@dataclass(frozen=True)
class Idempotency:
    """A request's `Idempotency-Key`, to be stored in the same transaction as what it did."""

    api_key_id: str
    key: str
    fingerprint: str
    """SHA-256 of method, path and body."""
