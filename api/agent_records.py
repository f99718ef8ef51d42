"""What the store takes and gives about agents: frozen records. Times are Unix seconds."""

from dataclasses import dataclass
from typing import Literal

from api.records import JsonObject

AgentType = Literal["outbound", "inbound"]
AgentStatus = Literal["active", "archived"]


@dataclass(frozen=True)
class NewStoredAgent:
    """An agent as it comes in, already checked."""

    name: str
    config: JsonObject
    """As `api.agents.config.AgentFields` accepts it, without what was not given; sealed."""
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
