"""What Revox's clients send, member by member.

Members that document a default may be left out although the service's text does not mark them
optional. An integral number may be written with a point.
"""

from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from api.base.fields import Body
from api.policy.retry import Weekday
from api.resources.agent_fields import Outcomes

#: 2^53 - 1, the largest number that the service takes.
MAX_NUMBER: Final = 9_007_199_254_740_991

#: Members whose texts may hold line breaks and tabs.
FREE_TEXT: Final = frozenset(
    {
        "prompt",
        "after_call_sms_prompt",
        "custom_tools",
        "end_of_call_sentence",
        "faq_items",
        "first_sentence",
        "max_duration_end_message",
        "metadata",
        "prompt_flow",
        "prompt_variables",
        "sms_template",
        "structured_output_config",
        "structured_output_prompt",
        "text",
        "voicemail_message",
        "voicemail_sms_prompt",
        "warm_transfer_summary_instructions",
    }
)

ThinkingSound = Literal[
    "city-ambience.ogg",
    "forest-ambience.ogg",
    "office-ambience.ogg",
    "crowded-room.ogg",
    "keyboard-typing.ogg",
    "keyboard-typing2.ogg",
    "hold_music.ogg",
]
FirstSentenceMode = Literal["generated", "static", "none"]
FieldType = Literal["string", "number", "boolean", "enum", "date", "datetime"]
Provider = Literal["cartesia", "elevenlabs"]
#: The service's names for its own models, the default first.
DEDICATED_MODELS: Final = ("gpt-4.1", "ministral-3-8b-instruct")
Text = Annotated[str, Field(min_length=1)]


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


Uuid = Annotated[
    str,
    Field(
        pattern=r"^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$",
        json_schema_extra={"format": "uuid"},
        examples=["3d1f6c0a-7a52-4f0e-9c86-2b7f10a4c9de"],
    ),
]
#: Numbers that have to be whole ones.
Whole = Annotated[int, BeforeValidator(_whole)]
Count = Annotated[int, Field(gt=0, le=MAX_NUMBER), BeforeValidator(_whole)]
Milliseconds = Annotated[int, Field(ge=0, le=MAX_NUMBER), BeforeValidator(_whole)]
Many = Annotated[int, Field(ge=1, le=10_000), BeforeValidator(_whole)]
_WHEN: Final[dict[str, Any]] = {
    "anyOf": [{"type": "string", "format": "date-time"}, {"type": "number"}, {"type": "null"}]
}
When = Annotated[
    Any,
    WithJsonSchema(_WHEN),
    Field(
        description="ISO 8601, or Unix seconds or milliseconds; without an offset, where the "
        "callee is (`call_retry_config.timezone`, else by the number). Past or null: at once."
    ),
]


class Calendly(Body):
    """A calendar to book in: one of `/v1/calendar_connections`, and one of its event types."""

    connection_id: str = Field(examples=["6f1c2d3e-4b5a-4c6d-8e7f-901234567890"])
    event_type_id: str = Field(examples=["checkup"])


class Window(Body):
    """Hours in which to dial, where the callee is: `17:00`, `6pm`."""

    calling_window_end_time: str | None = Field(default=None, examples=["18:00"])
    calling_window_start_time: str | None = Field(default=None, examples=["10:00"])
    retry_delay_seconds: float | None = Field(default=None, gt=0, le=MAX_NUMBER, examples=[7200])


class RetryConfig(Window):
    """When and how often to try. The members of a window may stand here, as in the service's
    earlier form; they are then the only window."""

    allowed_days: list[Weekday] | None = Field(default=None, examples=[["monday", "friday"]])
    call_twice_in_a_row: bool | None = None
    calling_windows: list[Window] | None = None
    max_retry_attempts: Count | None = Field(
        default=None, description="Counts the first attempt too.", examples=[3]
    )
    timezone: str | None = Field(default=None, examples=["America/New_York"])


class Pair(Body):
    """A header, or a query parameter."""

    key: Text = Field(examples=["X-Clinic"])
    value: str = Field(examples=["{{clinic}}"])


class Described(Body):
    """A value to find out."""

    name: Text = Field(examples=["item"])
    required: bool
    type: FieldType
    description: str | None = None
    enum_options: list[str] | None = Field(default=None, description="Of an enum.")


class ToolInput(Described):
    """Something that the agent has to find out before it uses a tool."""


class OutputField(Described):
    """Something to find out in the call."""


class CustomTool(Body):
    """An HTTP request that the agent may have made."""

    body_template: str = Field(description="Not sent with GET and DELETE.", examples=["{}"])
    description: Text = Field(examples=["Look up how many of an item are in stock."])
    headers: list[Pair]
    input_schema: list[ToolInput]
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = Field(examples=["POST"])
    name: Text = Field(examples=["check_inventory"])
    query_params: list[Pair]
    url: Text = Field(examples=["https://crm.example.org/stock"])


class FaqItem(Body):
    """A question that the agent can answer."""

    answer: str = Field(examples=["From nine to five."])
    question: str = Field(examples=["When are you open?"])
    id: str | None = None
    needs_human_answer: bool | None = None
    source: Literal["human", "ai"] | None = None


class DedicatedModel(Body):
    """A model by the service's name for it, an alias of `models.aliases`; or one of ours."""

    name: Text = Field(
        description="`gpt-4.1`, `ministral-3-8b-instruct`, or one of `/v1/models`.",
        examples=["gpt-4.1"],
    )
    type: Literal["dedicated-instance"]


class OpenRouterModel(Body):
    """A model by OpenRouter's name for it: `openrouter_provider/openrouter_model_id` is an alias of
    `models.aliases`, or `openrouter_model_id` alone where that begins with the provider."""

    openrouter_model_id: Text = Field(examples=["openai/gpt-4.1"])
    openrouter_provider: str = Field(
        description="In small letters in the alias; empty: any.", examples=["openai"]
    )
    type: Literal["openrouter"]


class CustomModel(Body):
    """An OpenAI-compatible server of your own."""

    api_key: Text = Field(examples=["secret"])
    api_url: str = Field(
        json_schema_extra={"format": "uri"}, examples=["https://llm.example.org/v1"]
    )
    model_name: Text = Field(examples=["llama-3-70b"])
    type: Literal["custom"]


class RealtimeModel(Body):
    """A speech-to-speech model: `provider/realtime_model_id` is an alias of `models.aliases`, and
    `provider/realtime_voice_id` one of a voice."""

    provider: Literal["openai", "google"]
    realtime_model_id: Text = Field(examples=["gpt-realtime"])
    type: Literal["realtime"]
    realtime_voice_id: Text | None = None


LlmModel = Annotated[
    DedicatedModel | OpenRouterModel | CustomModel | RealtimeModel, Field(discriminator="type")
]


class Edge(Body):
    """A line of the editor."""

    id: str
    source: str
    target: str


class NodeData(Body):
    """What a block says."""

    body: str
    title: str


class Position(Body):
    """Where a block is."""

    x: int | float
    y: int | float


class Node(Body):
    """A block of the editor."""

    id: str
    data: NodeData
    position: Position
    type: Literal["promptBlock"]


class PromptFlow(Body):
    """A visual editor's own data: kept and echoed, without effect on the call."""

    edges: list[Edge]
    nodes: list[Node]


class Voice(Body):
    """A voice of `/api/voices`, or an alias of `models.aliases` for `provider/id`."""

    id: Text = Field(examples=["en"])
    provider: Provider
    speed: float | None = Field(
        default=None, ge=0.6, le=1.5, description="With elevenlabs from 0.7 to 1.2."
    )
    volume: float | None = Field(
        default=None, ge=0.5, le=2, description="Without effect with elevenlabs."
    )


class AssistantFields(Body):
    """What an assistant is made of; what is left out or null has the default."""

    free_text = FREE_TEXT

    prompt: str | None = Field(default=None, examples=["Confirm the appointment of {{patient}}."])
    after_call_sms_prompt: str | None = None
    background_sound: Literal["audio/office.ogg"] | None = None
    background_sound_volume: float | None = Field(default=None, ge=0, le=1)
    calendly: Calendly | None = None
    call_retry_config: RetryConfig | None = None
    custom_tools: list[CustomTool] | None = None
    email_notification_address: str | None = None
    email_notification_outcomes: list[Outcomes] | None = None
    end_of_call_sentence: str | None = None
    faq_items: list[FaqItem] | None = Field(default=None, description="Replaces all there were.")
    first_sentence: str | None = None
    first_sentence_delay_ms: Milliseconds | None = Field(
        default=None, description="Default 400; at most 60000."
    )
    first_sentence_mode: FirstSentenceMode | None = None
    from_phone_number: str | None = None
    human_transfer_mode: Literal["warm", "cold"] | None = Field(
        default=None, description="Null: nobody is transferred."
    )
    ivr_navigation_enabled: bool | None = None
    llm_model: LlmModel | None = None
    max_call_duration_secs: Whole | None = None
    max_duration_end_message: str | None = Field(
        default=None, max_length=150, description="Null: the call ends silently."
    )
    prompt_flow: PromptFlow | None = None
    sms_enabled: bool | None = None
    sms_template: str | None = None
    structured_output_config: list[OutputField] | None = None
    structured_output_prompt: str | None = None
    thinking_sound: ThinkingSound | None = None
    thinking_sound_probability: float | None = Field(default=None, ge=0, le=1)
    thinking_sound_volume: float | None = Field(default=None, ge=0, le=1)
    transfer_phone_number: str | None = None
    voice: Voice | None = None
    voicemail_message: str | None = Field(
        default=None, description="Null: hang up where a voicemail takes the call."
    )
    voicemail_sms_prompt: str | None = None
    warm_transfer_summary_instructions: str | None = None
    webhook_url: str | None = Field(
        default=None, description="Is told once, when a call order is complete."
    )


class InlineAssistant(AssistantFields):
    """An assistant for one call order."""

    prompt: str = Field(examples=["Confirm the appointment of {{patient}}."])


class CreateAssistant(InlineAssistant):
    """An assistant to keep."""

    name: str = Field(min_length=1, max_length=200, examples=["Dental reminders"])


class ChangeAssistant(AssistantFields):
    """What to change of an assistant; null takes a member back to its default."""

    name: str | None = Field(default=None, min_length=1, max_length=200)


class ConcurrencyLimit(Body):
    """A limit shared by all call orders with the same key."""

    key: str = Field(min_length=1, max_length=128, examples=["clinic-berlin"])
    max: Many = Field(examples=[2])


class RevoxCreateCall(Body):
    """A call order to place."""

    free_text = FREE_TEXT

    phone_number: str = Field(examples=["+12125550142"])
    assistant: InlineAssistant | None = Field(
        default=None, description="Used where there is no `assistant_id`."
    )
    assistant_id: Uuid | None = None
    concurrency: ConcurrencyLimit | None = None
    force_now: bool | None = Field(
        default=None, description="The first attempt ignores calling windows and days."
    )
    from_phone_number: str | None = None
    metadata: dict[str, str] | None = Field(default=None, examples=[{"customer": "42"}])
    prompt_variables: dict[str, str] | None = Field(
        default=None, examples=[{"patient": "Maria Lopez"}]
    )
    scheduled_at: When = None


class CampaignContact(Body):
    """Somebody to call."""

    to_phone_number: str = Field(examples=["+12125550142"])
    prompt_variables: dict[str, str] | None = Field(
        default=None, examples=[{"patient": "Maria Lopez"}]
    )


class RevoxCreateCampaign(Body):
    """Call orders to many, with one assistant."""

    free_text = FREE_TEXT

    assistant_id: Uuid
    contacts: list[CampaignContact] = Field(
        max_length=1000, examples=[[{"to_phone_number": "+12125550142"}]]
    )
    name: str = Field(min_length=1, max_length=200, examples=["Recalls, May"])
    launch: bool | None = Field(default=None, description="Start at once; otherwise it is a draft.")
    call_retry_config: RetryConfig | None = None
    from_phone_number: str | None = None
    max_concurrent_calls: Many | None = None
    scheduled_at: When = None


class PreviewVoice(Body):
    """A text to hear."""

    free_text = FREE_TEXT

    provider: Provider
    voiceId: Text = Field(examples=["en"])  # noqa: N815 - the service's own name
    text: str = Field(min_length=1, max_length=2000, examples=["Hello, this is North Dental."])
    speed: float | None = Field(default=None, ge=0.6, le=1.5)
    volume: float | None = Field(default=None, ge=0.5, le=2)
