"""What OneInbox's clients send, member by member. In orders null is not given."""

from typing import Annotated, Any, Final

from pydantic import Field, model_validator

from api.base.fields import Body
from api.base.problems import FieldError, invalid, pointer
from api.compat.revox.fields import Uuid
from api.resources.agent_fields import MAX_PROMPT, MAX_SENTENCE, Variable

#: Members whose texts may hold line breaks and tabs.
FREE_TEXT: Final = frozenset(
    {"first_message", "metadata", "system_prompt", "variables", "voicemail_message"}
)

#: Members of the service's agents that cannot be carried out here, and what to do instead.
ABSENT: Final = {
    "end_call_phrases": "the agent itself decides when a call is over; say when in the prompt",
    "voicemail_detection": "is not chosen for each agent here; leave it out",
}

#: As the service itself checks numbers.
PhoneNumber = Annotated[str, Field(pattern=r"^\+[1-9]\d{1,14}$", max_length=16)]


class Llm(Body):
    """The language model."""

    model: str | None = Field(
        default=None,
        min_length=1,
        max_length=256,
        description="One of `/v1/models`, or an alias of `models.aliases`.",
        examples=["local"],
    )
    temperature: float | None = Field(default=None, ge=0, le=2)
    system_prompt: str | None = Field(
        default=None,
        min_length=1,
        max_length=MAX_PROMPT,
        description="All that the agent is told to be and to do.",
        examples=["Confirm the appointment of {{patient}}."],
    )


class Transcriber(Body):
    """Speech recognition."""

    model: str | None = Field(
        default=None,
        max_length=128,
        description="One of `/v1/transcribers`, or an alias of `models.aliases`.",
        examples=["local"],
    )
    language: str | None = Field(
        default=None,
        max_length=35,
        description="The conversation's; without it, the voice's.",
        examples=["en"],
    )


class Tts(Body):
    """The voice."""

    voice_id: str | None = Field(
        default=None,
        min_length=1,
        max_length=128,
        description="One of `/v1/voices`, or an alias of `models.aliases`.",
        examples=["en"],
    )
    model: str | None = Field(
        default=None,
        max_length=128,
        description="A name of the same kind. Given alone it is the voice that speaks; beside a "
        "`voice_id` it must be the same voice.",
        examples=["en"],
    )
    speed: float | None = Field(default=None, ge=0.6, le=1.5)
    stability: float | None = Field(
        default=None, ge=0, le=1, description="0.5 is the voice's own way, 1 never varies."
    )


class AgentParts(Body):
    """What an agent has, and a call may override."""

    llm: Llm | None = None
    transcriber: Transcriber | None = None
    tts: Tts | None = None
    first_message: str | None = Field(
        default=None,
        max_length=MAX_SENTENCE,
        description="Said first, word for word; empty: the person speaks first.",
        examples=["Hello, this is Ada of the Lopez dental practice."],
    )


class CallOverrides(AgentParts):
    """Holds before the agent's own."""


class OneInboxCreateCall(Body):
    """A call to place with a stored agent."""

    free_text = FREE_TEXT

    agent_id: Uuid
    to_number: PhoneNumber = Field(examples=["+15551234567"])
    from_number: PhoneNumber = Field(
        description="One of the deployment's numbers.", examples=["+15559876543"]
    )
    scheduled_at: str | None = Field(
        default=None,
        description="RFC 3339 with its offset; past or null: at once.",
        json_schema_extra={"format": "date-time"},
        examples=["2027-03-01T09:00:00Z"],
    )
    variables: dict[str, Variable] | None = Field(
        default=None,
        description="What stands for `{{name}}` in prompts and sentences, `{{name.member}}` for "
        "what is within.",
        examples=[{"patient": "Maria Lopez"}],
    )
    webhook_url: str | None = None
    overrides: CallOverrides | None = Field(
        default=None, description="Merged upon the agent when the call is first dialled."
    )
    metadata: dict[str, Any] | None = Field(default=None, examples=[{"customer": "42"}])


class OneInboxChangeCall(Body):
    """What to change of a call that is over."""

    outcome: str | None = Field(
        min_length=1,
        max_length=64,
        pattern=r"[^\s_]",
        description="A label of any words; kept in Title Case. Null takes it back.",
        examples=["Appointment Booked"],
    )


class AgentFields(AgentParts):
    """What an agent is made of."""

    free_text = FREE_TEXT

    llm_id: str | None = Field(
        default=None,
        min_length=1,
        max_length=256,
        description="The same as `llm.model`; give one of the two.",
        examples=["local"],
    )
    silence_timeout_seconds: float | None = Field(
        default=None,
        gt=0,
        le=600,
        description="Seconds of silence after which the agent asks if one is there.",
    )
    max_duration_seconds: int | None = Field(default=None, ge=5)
    interruption_sensitivity: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="How readily speech interrupts the agent: at once at 1; at 0.5 unless it "
        "sounds like listening, or after 700 ms; ever more seldom towards 0. With 0 nobody does.",
    )
    enable_recording: bool | None = None
    voicemail_message: str | None = Field(
        default=None, max_length=MAX_SENTENCE, description="Left on a voicemail; null: hang up."
    )

    @model_validator(mode="before")
    @classmethod
    def _refuse_absent(cls, given: dict[str, Any]) -> dict[str, Any]:
        """Raises Problem that says what to do instead."""
        code = "not_on_premises"
        if absent := [name for name in ABSENT if name in given]:
            raise invalid([FieldError(ABSENT[name], pointer(name), code=code) for name in absent])
        return given


class OneInboxCreateAgent(AgentFields):
    """An agent to make."""

    name: str = Field(min_length=1, max_length=200, examples=["Dental reminders"])


class OneInboxChangeAgent(AgentFields):
    """What to change; what is left out stays, null takes a member back to its default. `llm`,
    `transcriber` and `tts` are changed member by member."""

    name: str | None = Field(default=None, min_length=1, max_length=200)


class OneInboxCreateWebCall(Body):
    """A call from a browser."""

    agent_id: Uuid = Field(description="The stored agent that takes it.")
    origin: str | None = Field(
        default=None,
        max_length=300,
        description="Origin of the page that calls; without it, that of the request. Our own.",
        examples=["https://www.example.org"],
    )
    variables: dict[str, Any] | None = Field(default=None, examples=[{"patient": "Maria Lopez"}])
    metadata: dict[str, Any] | None = Field(default=None, examples=[{"customer": "42"}])
