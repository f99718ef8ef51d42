"""Agents: stored configurations of calls."""

from dataclasses import dataclass
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from api.base.fields import Body, without_default
from api.base.json_object import JsonObject
from api.base.times import Timestamp, rfc3339
from api.resources.agent_fields import AgentFields
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


class AgentObject(AgentFields):
    """An agent. Keys of engines and sensitive headers are masked; a mask that is sent back stands
    for what is there."""

    model_config = ConfigDict(extra="ignore")

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


class AgentList(BaseModel):
    """Agents, newest first."""

    data: list[AgentObject]
    has_more: bool = Field(examples=[False])
    next_cursor: str | None = Field(
        description="Give it as `cursor` to get the next page.", examples=[None]
    )


class AgentVersionObject(AgentFields):
    """What an agent was at one time."""

    model_config = ConfigDict(extra="ignore")

    version: int = Field(examples=[1])
    name: str = Field(examples=["Dental reminders"])
    created_at: Timestamp


class AgentVersionList(BaseModel):
    """The versions of an agent, the latest first."""

    data: list[AgentVersionObject]
    has_more: bool = Field(examples=[False])
    next_cursor: str | None = Field(
        description="Give it as `cursor` to get the next page.", examples=[None]
    )


def agent_object(agent: Agent) -> dict[str, Any]:
    """The JSON object of `agent`."""
    return AgentObject(
        id=agent.id,
        name=agent.name,
        type=agent.type,
        status=agent.status,
        version=agent.version,
        number_ids=list(agent.number_ids),
        primary_number_id=agent.primary_number_id,
        created_at=rfc3339(agent.created_at),
        updated_at=rfc3339(agent.updated_at),
        **masked(agent.config),
    ).model_dump()


def agent_version_object(version: AgentVersion) -> dict[str, Any]:
    """The JSON object of `version`."""
    return AgentVersionObject(
        version=version.version,
        name=version.name,
        created_at=rfc3339(version.created_at),
        **masked(version.config),
    ).model_dump()
