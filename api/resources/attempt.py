"""Attempts: times that the PBX dialled, or was rung."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, Field

from api.base.json_object import JsonObject
from api.base.lifecycle import AnsweredBy
from api.base.times import Timestamp
from api.resources.answer import Resource
from api.resources.quality import QualityObject, quality_of, without_quality
from api.resources.recording import RecordingFacts, RecordingObject, recording_facts

if TYPE_CHECKING:
    from pbx.quality import CallQuality
    from pbx.switch import Cause  # which needs the audio; clients of the API do not


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
    answerer: JsonObject | None
    """Who answered, with the evidence, as the line showed it."""
    heard_early: JsonObject | None
    """The same, of what was heard before the answer; None where nothing told anything."""
    found_answered_by: AnsweredBy | None
    """What `answered_by` was before it was corrected; None where it was not."""
    recording_node: str | None
    """Whose folder; None of what an earlier release recorded, until its node claims it."""
    recording: JsonObject | None
    """As `api.resources.recording.RecordingFacts` writes it; None where nothing is recorded."""

    @property
    def quality(self) -> JsonObject | None:
        """As `pbx.quality.CallQuality`; None where nobody answered."""
        return quality_of(self.media)

    @property
    def counted(self) -> JsonObject | None:
        """Its media figures without that."""
        return without_quality(self.media)

    @property
    def recorded(self) -> bool:
        """Whether there is a recording to be fetched."""
        return self.recording_path is not None and self.ended_at is not None

    @property
    def recording_facts(self) -> RecordingFacts | None:
        """How it is recorded."""
        return recording_facts(self.recording)


@dataclass(frozen=True)
class RecordingFile:
    """Where an attempt is going to be recorded."""

    node: str
    name: str
    """In that node's recordings folder."""
    facts: RecordingFacts = field(default_factory=RecordingFacts)


@dataclass(frozen=True)
class Ended:
    """How an attempt ended, and with it the call, unless its retry policy wants another."""

    at: float
    cause: "Cause"
    """`cause.state` becomes the call's status."""
    end_reason: str
    """Lower snake case, up to 64 characters."""
    awaits_result: bool = False
    """Whether `record_result` follows; until then the terminal event is withheld."""
    unknown: bool = False
    """Nobody can say what became of the attempt, so the number is not dialled again."""
    answered_by: AnsweredBy | None = None
    media: JsonObject | None = None
    quality: "CallQuality | None" = None
    """Of the line; None where nobody answered."""
    answerer: JsonObject | None = None
    """As `Attempt.answerer`."""
    heard_early: JsonObject | None = None
    """As `Attempt.heard_early`."""
    recording_path: str | None = None
    """Relative to the recordings folder."""
    recording_seconds: float = 0.0
    recording_bytes: int | None = 0
    """Of the file; None: a crash cut it short, and it is not announced."""


class AnswererObject(BaseModel):
    """Who or what answered."""

    who: str = Field(
        description="`human`, `voicemail`, `menu`, `screening`, `hold_queue`, `unavailable`, "
        "`ringing`, `fax`, `silence` or `unknown`, as it stood at the end.",
        examples=["voicemail"],
    )
    evidence: list[str] = Field(
        description="What spoke for it.", examples=[["invite phrase", "tone phrase"]]
    )
    decided_ms: int = Field(description="When that was decided, after the answer.", examples=[4180])


class AttemptObject(Resource):
    """One time that the PBX dialled for a call."""

    number: int = Field(description="1 for the first.")
    state: str = Field(examples=["ended"])
    channel_id: str = Field(
        description="The PBX's unique id of the channel that it began with: `offhook-…`, or of an "
        "inbound call what the PBX chose.",
        examples=["offhook-9f1c2a52-7d0f-4be5-a6a4-5d0a3f0f4c11"],
    )
    trunk: str | None
    created_at: Timestamp
    ringing_at: Timestamp | None
    early_media_at: Timestamp | None
    answered_at: Timestamp | None
    ended_at: Timestamp | None
    answered_by: AnsweredBy | None
    answerer: AnswererObject | None = Field(
        description="Who answered in detail; null where nobody did."
    )
    heard_early: AnswererObject | None = Field(
        description="What was heard before the answer, its time from the beginning of early media; "
        "null where nothing was that tells anything."
    )
    found_answered_by: AnsweredBy | None = Field(
        description="What `answered_by` was before somebody corrected it; null where nobody did."
    )
    end_reason: str | None
    hangup_cause: str | None = Field(description="Q.850 cause in lower snake case.")
    message: str | None
    q850_cause: int | None
    sip_code: int | None
    sip_call_id: str | None
    unknown: bool = Field(description="Nobody can say how it ended, so there is no other one.")
    recording_available: bool = Field(validation_alias="recorded")
    recording_details: RecordingObject | None = Field(
        validation_alias="recording_facts", description="Null where nothing is recorded."
    )
    media: dict[str, Any] | None = Field(
        validation_alias="counted", description="Packets counted on the media leg."
    )
    quality: QualityObject | None = Field(
        description="How good its line was; null until it is over, and where nobody answered."
    )
    billing_amount_milli_cents: int | None = Field(
        validation_alias="amount_milli_cents",
        description="What it cost; null until it is over.",
        examples=[2834],
    )
