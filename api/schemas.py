"""The body of `POST /v1/calls`: a superset of the hosted services' fields, checked to the bone.

Every error carries a JSON pointer.
"""

from typing import Annotated, Any, ClassVar, Final

from pydantic import ConfigDict, Field, WithJsonSchema
from pydantic.config import JsonDict

from api.agents.config import MAX_PROMPT, AgentFields
from api.fields import Body, parse_fields
from api.problems import FieldError, invalid

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
