"""The tools that an agent may have, as data. What carries them out is in `api/tools/`."""

from typing import Annotated, Final, Literal

from pydantic import Field

from api.base.fields import Body
from api.base.numbers import DESTINATION
from api.base.text import NAME

#: Names that no HTTP tool may take.
RESERVED: Final = frozenset(
    {"end_call", "skip_turn", "send_digits", "transfer_call", "send_sms", "send_email"}
    | {"find_free_slots", "book_slot", "pause_recording", "resume_recording"}
)

_NAME = r"^[a-z][a-z0-9_]{0,63}$"


class Pair(Body):
    """A header, or a query parameter."""

    key: str = Field(min_length=1, max_length=128, examples=["Authorization"])
    value: str = Field(
        max_length=4_000,
        description="May hold `{{variable}}` and `{{secret.name}}` (of `/v1/secrets`).",
        examples=["Bearer {{secret.crm}}"],
    )


class Input(Body):
    """Something that the agent has to find out before it uses a tool."""

    name: str = Field(
        min_length=1,
        max_length=128,
        pattern=f"^{NAME}$",
        description="In any words: `Customer Email`. `{{Customer Email}}` stands for its value.",
        examples=["item"],
    )
    type: Literal["string", "number", "boolean", "enum", "date", "datetime"]
    required: bool = True
    description: str | None = Field(default=None, max_length=500)
    enum_options: list[str] | None = Field(default=None, max_length=64)


class HttpTool(Body):
    """An HTTP request that the agent may have made."""

    type: Literal["http"]
    name: str = Field(
        pattern=_NAME, description="Unique among the agent's tools.", examples=["check_inventory"]
    )
    description: str = Field(
        min_length=1,
        max_length=1_000,
        description="When and what for; told to the language model.",
        examples=["Look up how many of an item are in stock."],
    )
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = "GET"
    url: str = Field(
        min_length=1,
        max_length=2_048,
        description="May hold `{{variable}}`, not in its host.",
        examples=["https://crm.example.org/stock/{{item}}"],
    )
    headers: list[Pair] = Field(default=[], max_length=32)
    query_params: list[Pair] = Field(default=[], max_length=32)
    body_template: str = Field(
        default="",
        max_length=20_000,
        description='JSON with quoted placeholders, as `{"name": "{{name}}"}`: where a quoted '
        "text is one placeholder alone, the value keeps its type.",
    )
    input_schema: list[Input] = Field(default=[], max_length=32)
    timeout_seconds: float = Field(default=10, gt=0, le=60)
    say: str | None = Field(
        default=None, max_length=300, description="What the agent says while it waits."
    )


class TransferTool(Body):
    """Hands the person over to somebody else."""

    type: Literal["transfer"]
    name: str = Field(default="transfer_call", pattern=_NAME)
    number: str = Field(
        description=f"{DESTINATION} Nobody else can be reached.", examples=["+15550100200"]
    )
    mode: Literal["warm", "cold"] = Field(
        default="cold",
        description="`warm`: that person is called, briefed, and joined. `cold`: by SIP REFER, "
        "else by calling and joining.",
    )
    description: str | None = Field(
        default=None, max_length=1_000, description="When to transfer, for the language model."
    )
    summary_instructions: str | None = Field(
        default=None, max_length=4_000, description="Warm: instructions for the briefing."
    )
    say: str | None = Field(default=None, max_length=300, description="Said before it.")


class SmsTool(Body):
    """Sends a text message to the person on the line, and to nobody else."""

    type: Literal["send_sms"]
    template: str | None = Field(
        default=None,
        max_length=1_600,
        description="Exactly this is sent; without it the agent writes the text.",
    )


class EmailTool(Body):
    """Sends a mail."""

    type: Literal["send_email"]
    to: list[str] = Field(
        min_length=1,
        max_length=10,
        description="Whom mails go to; the agent chooses among these.",
        examples=[["frontdesk@example.org"]],
    )
    subject: str | None = Field(
        default=None, max_length=200, description="Fixed; without it the agent writes one."
    )
    body: str | None = Field(
        default=None, max_length=20_000, description="Fixed; without it the agent writes it."
    )


class CalendarTool(Body):
    """Finds free slots and books them."""

    type: Literal["calendar"]
    connection_id: str = Field(description="One of `/v1/calendar_connections`.")
    event_type_id: str = Field(description="One of its event types.")
    book: bool = Field(
        default=True,
        description="Whether it books; else it only finds free slots, as of a feed (`ics`).",
    )


class DigitsTool(Body):
    """Presses keys, to find the way through a menu."""

    type: Literal["send_digits"]


class SkipTurnTool(Body):
    """Says nothing, to wait for what comes next."""

    type: Literal["skip_turn"]


class PauseRecordingTool(Body):
    """Pauses the recording and has it go on, around what is not to be kept: a card number."""

    type: Literal["pause_recording"]


ToolField = Annotated[
    HttpTool
    | TransferTool
    | SmsTool
    | EmailTool
    | CalendarTool
    | DigitsTool
    | SkipTurnTool
    | PauseRecordingTool,
    Field(discriminator="type"),
]
