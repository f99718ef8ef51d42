"""Agents: stored configurations of calls."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from pydantic import ConfigDict, Field, GetJsonSchemaHandler, TypeAdapter, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from api.base.fields import Body, without_default
from api.base.json_object import JsonObject
from api.base.refusals import Conflict
from api.base.times import Timestamp
from api.policy.retry import RetryFields
from api.resources.agent_fields import AgentFields
from api.resources.answer import Resource
from api.resources.masking import masked

AgentType = Literal["outbound", "inbound"]
AgentStatus = Literal["active", "archived"]


@dataclass(frozen=True)
class NewStoredAgent:
    """An agent as it comes in, already checked."""

    name: str
    config: JsonObject
    """As `AgentFields` accepts it, without what was not given; sealed."""
    type: AgentType = "outbound"
    number_ids: tuple[str, ...] = ()
    primary_number_id: str | None = None


@dataclass(frozen=True)
class Agent:
    """A stored agent."""

    id: str
    name: str
    type: AgentType
    status: AgentStatus
    version: int
    """1 for the first; each change of its name or configuration is another."""
    config: JsonObject
    primary_number_id: str | None
    created_at: float
    updated_at: float
    number_ids: tuple[str, ...] = ()
    """The numbers that it may call from, or that it answers; none: it may call from any."""

    def require_active(self) -> None:
        """Raises Conflict."""
        if self.status != "active":
            raise Conflict("agent_archived", "the agent is archived")


@dataclass(frozen=True)
class AgentVersion:
    """One state that an agent was in."""

    version: int
    name: str
    config: JsonObject
    created_at: float


_ID: Final = "3d1f6c0a-7a52-4f0e-9c86-2b7f10a4c9de"
_NUMBER_ID: Final = "9b2f64c1-51ad-4a0c-8f0e-6f1c2d3e4b5a"


class ChangeAgent(AgentFields):
    """What to change: a field that is left out stays, null takes it back."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"voice": {"id": "en", "speed": 0.9}, "language": None}]}
    )

    name: str = Field(
        default="",
        min_length=1,
        max_length=200,
        examples=["Dental recalls"],
        json_schema_extra=without_default,
    )
    number_ids: list[str] | None = Field(
        default=None, max_length=1000, description="A new list replaces the old one."
    )
    primary_number_id: str | None = Field(default=None, description="One of its numbers.")


class AgentNumber(Body):
    """A number of an agent."""

    number_id: str = Field(description="Id of one of `/v1/numbers`.", examples=[_NUMBER_ID])


class _InShapeOf:
    """Has OpenAPI tell a field in the shape of a type that it is not validated as."""

    def __init__(self, shape: Any) -> None:
        self._shape = shape

    def __get_pydantic_json_schema__(
        self, _schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return handler(TypeAdapter(self._shape).core_schema)


_RETRY: Any = AgentFields.model_fields["retry"]


class _Shown(AgentFields, Resource):
    """A configuration among the fields of what has it."""

    model_config = ConfigDict(extra="ignore", strict=False)

    # As stored: another release, or zone database, may have taken what is none here.
    retry: Annotated[dict[str, Any] | None, _InShapeOf(RetryFields | None)] = _RETRY  # type: ignore[assignment]

    @model_validator(mode="before")
    @classmethod
    def _flat(cls, record: Any) -> Any:
        if isinstance(record, Mapping):
            return record
        return {**vars(record), **masked(record.config)}


class AgentObject(_Shown):
    """An agent. Keys of engines and sensitive headers are masked; a mask that is sent back stands
    for what is there."""

    id: str = Field(json_schema_extra={"format": "uuid"}, examples=[_ID])
    name: str = Field(examples=["Dental reminders"])
    type: AgentType
    status: AgentStatus
    version: int = Field(
        description="1 for the first; another name or configuration is another version.",
        examples=[1],
    )
    number_ids: list[str] = Field(
        description="The numbers that it may call from, or that it answers; none: it may call "
        "from any.",
        examples=[[]],
    )
    primary_number_id: str | None = Field(
        description="The one that it calls from unless told otherwise."
    )
    created_at: Timestamp
    updated_at: Timestamp


class AgentVersionObject(_Shown):
    """What an agent was at one time."""

    version: int = Field(examples=[1])
    name: str = Field(examples=["Dental reminders"])
    created_at: Timestamp
