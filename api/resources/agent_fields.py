"""An agent's configuration: every field that an agent, an inline agent, or a call's overrides
may have. What is left out, or null, has the deployment's default.

Layers of it are merged (`api.agents.layers`); only then is it whole.
"""

from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, ConfigDict, Field, WithJsonSchema
from pydantic.config import JsonDict
from pydantic_core import PydanticKnownError

from api.base.fields import Body
from api.base.text import unescaped
from api.policy.retry import RetryFields
from api.resources.sound import Sound
from api.resources.tool_fields import ToolField

#: Fields whose texts may hold line breaks and tabs: they reach a model, a voice, a message or an
#: HTTP body.
FREE_TEXT: Final = frozenset(
    {
        "persona",
        "instructions",
        "prompt",
        "context",
        "variables",
        "faq_items",
        "first_sentence",
        "recording_announcement",
        "end_of_call_sentence",
        "max_duration_end_message",
        "prompt_flow",
        "returns",
        "returns_prompt",
        "source",
        "tools",
        "voicemail_message",
        "screening_message",
        "voicemail_sms_prompt",
        "after_call_sms_prompt",
        "metadata",
    }
)

PlainVariable = str | int | float | bool | None
#: Objects and lists within each other, in a variable.
MAX_NESTED: Final = 5


def _shallow(value: Any, levels: int = MAX_NESTED) -> Any:
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    if items and not levels:
        raise ValueError(f"at most {MAX_NESTED} levels")
    for item in items:
        _shallow(item, levels - 1)
    return value


Variable = Annotated[PlainVariable | list[Any] | dict[str, Any], AfterValidator(_shallow)]

_ECHOED: Final = "Kept and echoed, without effect on the call."

MAX_PROMPT: Final = 20_000


def _not_too_long(prompt: str) -> str:
    if len(unescaped(prompt)) > MAX_PROMPT:
        raise PydanticKnownError("string_too_long", {"max_length": MAX_PROMPT})
    return prompt


#: What it says is counted, without the escapes of what is no variable.
Prompt = Annotated[
    str,
    AfterValidator(_not_too_long),
    WithJsonSchema({"type": "string", "maxLength": MAX_PROMPT}),
]
MAX_SENTENCE: Final = 1_000

Outcomes = Literal[
    "not_interested",
    "interested",
    "completed",
    "requested_callback_later",
    "requested_callback_new_number",
    "do_not_contact",
]


class VoiceField(Body):
    """How the agent sounds."""

    id: str | None = Field(
        default=None,
        min_length=1,
        max_length=128,
        description="One of `/v1/voices`, or an alias of `models.aliases`; default the voice of "
        "the call's language.",
        examples=["en"],
    )
    provider: str | None = Field(
        default=None,
        max_length=64,
        description="Whose name `id` is, where a hosted service's client gives one.",
        examples=["cartesia"],
    )
    model: str | None = Field(
        default=None,
        max_length=128,
        description="Engine or model, where a hosted service's client gives one: resolved like "
        "`id`, and the same voice where both are given.",
    )
    speed: float | None = Field(
        default=None, ge=0.6, le=1.5, description="Speaking rate; 1 is the voice's own."
    )
    volume: float | None = Field(
        default=None, ge=0.5, le=2.0, description="Loudness; 1 is the voice's own."
    )
    stability: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="How alike the same words sound each time, in sound and rhythm: 0.5 is the "
        "voice's own way, 1 always the same, 0 twice as varied. Of a voice on this machine.",
    )

    @property
    def name(self) -> str | None:
        """What the voice is looked up by: `id`, its provider before it, else `model`."""
        return "/".join(filter(None, (self.provider, self.id))) or self.model


class LlmField(Body):
    """The language model."""

    model: str | None = Field(
        default=None,
        min_length=1,
        max_length=256,
        description="One of `/v1/models`, or an alias of `models.aliases`; with `api_url`, the "
        "model's name there.",
        examples=["local"],
    )
    temperature: float | None = Field(
        default=None, ge=0, le=2, description="Of sampling; 0 (the default) is greedy."
    )
    api_url: str | None = Field(
        default=None,
        max_length=2048,
        description="Base URL of an OpenAI-compatible server of your own, as "
        "`http://10.0.0.5:8000/v1`; its network must be allowed by `tools.allowed_networks`.",
    )
    api_key: str | None = Field(
        default=None,
        min_length=1,
        max_length=512,
        description="Sent there as bearer token; sealed when stored, masked when read.",
    )
    source: dict[str, Any] | None = Field(
        default=None,
        description="The model as a hosted service's client named it; kept for its dialect, "
        "without effect on the call.",
    )


class TranscriberField(Body):
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
        description="What the person speaks (BCP 47), where it is not the agent's language.",
    )


class FaqItem(Body):
    """A question that the agent can answer."""

    question: str = Field(max_length=2_000, examples=["When are you open?"])
    answer: str = Field(max_length=4_000, examples=["From nine to five, Monday to Friday."])
    id: str | None = Field(default=None, max_length=64, description=_ECHOED)
    needs_human_answer: bool | None = Field(default=None, description=_ECHOED)
    source: Literal["human", "ai"] | None = Field(default=None, description=_ECHOED)


class AnswerDetection(Body):
    """When somebody or something is taken to have answered; what is left out is the default."""

    short_ms: int | None = Field(
        default=None,
        ge=300,
        le=10_000,
        description="First words up to this length with a pause after them are a person's; who "
        "runs on is listened to before the agent speaks. Default 1800.",
        examples=[1800],
    )
    pause_ms: int | None = Field(
        default=None,
        ge=300,
        le=5_000,
        description="Who ran on without a machine's words and then is silent for so long is "
        "answered. Default 1000.",
    )
    long_ms: int | None = Field(
        default=None,
        ge=2_000,
        le=60_000,
        description="Speech at the answer, none of which is understood, is a machine's once it has "
        "lasted so long. Default 7000.",
    )
    greeting_pause_ms: int | None = Field(
        default=None,
        ge=300,
        le=10_000,
        description="A machine's greeting that did not end in its invitation is over after this "
        "silence. Default 1500.",
    )
    tone_wait_ms: int | None = Field(
        default=None,
        ge=500,
        le=30_000,
        description="So long a tone that was announced is waited for. Default 3000.",
    )
    screening_seconds: float | None = Field(
        default=None,
        gt=0,
        le=600,
        description="So long the person is waited for whom a call screener asks. Default 45.",
    )
    ringing_seconds: float | None = Field(
        default=None,
        gt=0,
        le=600,
        description="So long a call may ring on that something has answered. Default 60.",
    )
    ask_model: bool | None = Field(
        default=None,
        description="Whether the language model is asked who says first words that are long and "
        "nobody's in particular. For a model that can tell: the starter model cannot. Default "
        "false.",
    )
    menu_repeats: int | None = Field(
        default=None,
        ge=1,
        le=20,
        description="A menu that is heard more often than this is a dead end, and hung up on. "
        "Default 3.",
    )


class AgentFields(Body):
    """What an agent is made of."""

    free_text = FREE_TEXT

    persona: Prompt | None = Field(
        default=None,
        description="Who the agent is and how it behaves, on every call.",
        examples=["You are Ada of the Lopez dental practice: warm, brief, never pushy."],
    )
    instructions: Prompt | None = Field(
        default=None,
        description="What the agent is to do. Of a call, `prompt` is the same field.",
        examples=["Confirm the appointment of {{patient}} tomorrow at 2pm"],
    )
    context: dict[str, Any] | None = Field(
        default=None,
        description="Facts that the agent may use.",
        examples=[{"patient": "Maria Lopez", "doctor": "Dr. Chen"}],
    )
    variables: dict[str, Variable] | None = Field(
        default=None,
        description="What stands for `{{name}}` in prompts, sentences, tools and messages. What is "
        "within one is `{{name.member}}`, of a list `{{name.0}}`.",
        examples=[{"patient": "Maria Lopez"}],
    )
    language: str | None = Field(
        default=None,
        max_length=35,
        description="Language of the call (BCP 47), as `en` or `en-GB`: a region tells how dates "
        "and amounts are said. Default `calls.default_language`.",
        examples=["en"],
    )
    voice: VoiceField | None = None
    llm: LlmField | None = None
    transcriber: TranscriberField | None = None
    first_sentence: str | None = Field(
        default=None,
        max_length=MAX_SENTENCE,
        description="What the agent says first, or is told to say: see `first_sentence_mode`.",
        examples=["Hello, this is Ada of the Lopez dental practice."],
    )
    first_sentence_mode: Literal["generated", "static", "none"] | None = Field(
        default=None,
        description="`generated` (the default): the language model makes it, by `first_sentence` "
        "as an instruction. `static`: it is said word for word. `none`: the person speaks first.",
    )
    first_sentence_delay_ms: int | None = Field(
        default=None,
        ge=0,
        le=60_000,
        description="Milliseconds after the answer in which the person may say hello first; "
        "default `voice.opening_delay_ms`.",
    )
    end_of_call_sentence: str | None = Field(
        default=None,
        max_length=MAX_SENTENCE,
        description="Said when the agent decides to end the call.",
        examples=["Thank you, goodbye."],
    )
    max_duration_seconds: int | None = Field(
        default=None, ge=5, description="Longest conversation; at most `calls.max_duration_s`."
    )
    max_duration_end_message: str | None = Field(
        default=None,
        max_length=150,
        description="Said, and not to be interrupted, when that time is nearly up; the call ends "
        "with it. Empty: it ends silently.",
    )
    silence_timeout_seconds: float | None = Field(
        default=None,
        gt=0,
        le=600,
        description="Seconds of silence after which the agent asks if one is there; default "
        "`voice.silence_prompt_s`.",
    )
    interruptible: bool | None = Field(
        default=None, description="Whether the person may interrupt; default `voice.barge_in`."
    )
    interruption_sensitivity: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="How readily speech interrupts. From `voice.barge_in_ms` × 4^(1 − 2s) of it on "
        "the agent's voice is lowered. It falls silent once the speech takes the floor with a "
        "probability of 1 − s, by its sound, or has lasted 1400 × (1 − s) ms: at 1 any speech "
        'interrupts at once, at 0.5 (the default) listeners ("mm-hmm") do not, at 0 nobody does.',
        examples=[0.5],
    )
    end_of_turn_patience: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="How long a pause is waited for before the agent answers: all that "
        "`voice.end_of_turn_ms` stands for, × 3^(2p − 1): a third of it at 0, as it is set at 0.5 "
        "(the default), three times as much at 1. Above 0.5 the longest pause, 1.5 s, and those "
        "between the groups of a number, 1.25 s, grow with the square root of that.",
        examples=[0.5],
    )
    recording: bool | None = Field(
        default=None, description="False: the call is not recorded. Default `recordings.enabled`."
    )
    recording_announcement: str | None = Field(
        default=None,
        min_length=1,
        max_length=MAX_SENTENCE,
        description="Said first, and not to be interrupted, before anything is recorded; default "
        "`recordings.announce` of the call's language.",
        examples=["This call is recorded. If you do not want that, just say so."],
    )
    background_sound: Sound | None = Field(
        default=None, description="Played under the whole call; one of `/v1/sounds`."
    )
    background_sound_volume: float | None = Field(
        default=None, ge=0, le=1, description="0 is silent, 1 the sound's full level; default 0.5."
    )
    thinking_sound: Sound | None = Field(
        default=None, description="Played while an answer is being made; one of `/v1/sounds`."
    )
    thinking_sound_volume: float | None = Field(
        default=None, ge=0, le=1, description="0 is silent, 1 the sound's full level; default 0.5."
    )
    thinking_sound_probability: float | None = Field(
        default=None, ge=0, le=1, description="Chance that it is played at any one turn; default 1."
    )
    faq_items: list[FaqItem] | None = Field(
        default=None,
        max_length=200,
        description="Questions that the agent can answer; a new list replaces the old one.",
    )
    prompt_flow: dict[str, Any] | None = Field(
        default=None,
        description="A visual editor's own data: kept and echoed, without effect on the call.",
    )
    returns: dict[str, Any] | None = Field(
        default=None,
        description="What to find out: field name to type. A type is `string`, `number`, "
        "`integer`, `boolean`, `date`, `datetime`, a list of one (`string[]`), a list of choices, "
        "an object of fields with types, or one of JSON Schema.",
        examples=[{"confirmed": "boolean", "reschedule_to": "string"}],
    )
    returns_prompt: str | None = Field(
        default=None,
        max_length=MAX_PROMPT,
        description="In place of our own instructions for finding that out. It may hold "
        "`{{transcript}}`, `{{call_direction}}`, `{{user_phone_number}}`, "
        "`{{agent_phone_number}}`.",
    )
    tools: Annotated[list[ToolField] | None, Field(max_length=32)] = Field(
        default=None,
        description="What the agent can do beside talking. To end the call needs no entry.",
    )
    retry: RetryFields | None = Field(
        default=None,
        description="When and how often to try until a human is reached. What is left out is "
        "completed: Monday to Friday, 10:00 to 18:00 where the callee is, 7200 s, 3 attempts. "
        "Null: one attempt, at any hour.",
        examples=[{"max_attempts": 2, "timezone": "America/New_York"}],
    )
    from_number: str | None = Field(
        default=None,
        description="Caller number, one of `/v1/numbers`; default the agent's primary one, else "
        "the oldest active one that may be shown to this callee.",
        examples=["+15559876543"],
    )
    caller_name: str | None = Field(
        default=None,
        max_length=200,
        description="Name that is shown beside the caller number: at most 80 characters, "
        "`{{variables}}` filled in. Carriers may show another one.",
        examples=["Lopez Dental"],
    )
    hide_caller_number: bool | None = Field(
        default=None,
        description="True: the carrier is asked not to show name and number to whom is called "
        "(CLIR: `Privacy: id`, RFC 3323 and 3325); it is told them itself.",
    )
    sip_headers: dict[str, str] | None = Field(
        default=None,
        description="Headers of the INVITE: names that begin with `X-` and that `pbx.headers_out` "
        "allows, at most 10 of 256 bytes each and 1024 in all, `{{variables}}` filled in.",
        examples=[{"X-Case": "123"}],
    )
    account_code: str | None = Field(
        default=None,
        max_length=200,
        description="Account code (`accountcode`) of the PBX's call detail record: up to 64 "
        "letters, digits, dots, colons, `-` and `_`, `{{variables}}` filled in.",
        examples=["clinic-42"],
    )
    webhook_url: str | None = Field(
        default=None, description="Receives every lifecycle event of the calls, signed."
    )
    voicemail_action: Literal["hangup", "leave_message"] | None = Field(
        default=None,
        description="Where an answering machine took the call: hang up, or say `voicemail_message` "
        "first. Default: leave a message if there is one.",
    )
    voicemail_message: str | None = Field(
        default=None,
        max_length=MAX_SENTENCE,
        description="Said to an answering machine, once it listens; default what the language "
        "model writes by the instructions, never what opens the call.",
    )
    screening_message: str | None = Field(
        default=None,
        max_length=MAX_SENTENCE,
        description="Said to a call screener that asks who calls and why; default what the "
        "language model says by the instructions.",
        examples=["This is Ada of the Lopez dental practice, about tomorrow's appointment."],
    )
    answer_detection: AnswerDetection | None = Field(
        default=None, description="Thresholds of who answered."
    )
    voicemail_sms_prompt: str | None = Field(
        default=None,
        max_length=4_000,
        description="Text message to send where a voicemail took the call.",
    )
    after_call_sms_prompt: str | None = Field(
        default=None,
        max_length=4_000,
        description="Instructions for a text message that the language model writes and that is "
        "sent after a conversation.",
    )
    email_notification_address: str | None = Field(
        default=None,
        max_length=320,
        description="Is mailed about calls with an outcome, or one of "
        "`email_notification_outcomes`.",
        examples=["frontdesk@example.org"],
    )
    email_notification_outcomes: list[Outcomes] | None = Field(
        default=None,
        description="Outcomes that are mailed; default all, none if empty.",
        examples=[["interested"]],
    )
    source: dict[str, Any] | None = Field(
        default=None,
        description="What a hosted service's client gave and no other field holds; kept for its "
        "dialect, without effect on the call.",
    )


_EXAMPLE: Final[JsonDict] = {
    "name": "Dental reminders",
    "persona": "You are Ada of the Lopez dental practice: warm, brief, never pushy.",
    "instructions": "Confirm the appointment of {{patient}} tomorrow at 2pm",
    "voice": {"id": "en", "speed": 1.1},
    "returns": {"confirmed": "boolean", "reschedule_to": "string"},
}


class NewAgent(AgentFields):
    """An agent to keep."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    name: str = Field(min_length=1, max_length=200, examples=["Dental reminders"])
    type: Literal["outbound", "inbound"] = Field(
        default="outbound", description="Whether it places calls or answers them; fixed."
    )
    number_ids: list[str] | None = Field(
        default=None,
        max_length=1000,
        description="Ids of `/v1/numbers`: those it may call from, or those it answers. None: it "
        "may call from any.",
    )
    primary_number_id: str | None = Field(
        default=None, description="The one of them that it calls from unless told otherwise."
    )
