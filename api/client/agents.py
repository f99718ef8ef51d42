"""Agents, and the secrets that their tools use."""

from collections.abc import AsyncGenerator

from api.client.transport import Json, Transport, at
from api.resources.agent import (
    AgentNumber,
    AgentObject,
    AgentStatus,
    AgentVersionObject,
    ChangeAgent,
)
from api.resources.agent_fields import NewAgent
from api.resources.secret import NamedSecretObject, PutSecret
from api.resources.sound import SoundObject


class Agents(Transport):
    """`/v1/agents`, `/v1/secrets`, `/v1/sounds`."""

    async def create_agent(self, body: NewAgent | Json) -> AgentObject:
        """Make an agent."""
        return await self._post(AgentObject, at("agents"), body)

    def list_agents(self, *, status: AgentStatus = "active") -> AsyncGenerator[AgentObject, None]:
        """Every agent with this status, newest first."""
        return self._every(AgentObject, at("agents"), {"status": status})

    async def get_agent(self, agent_id: str) -> AgentObject:
        """The agent as it is."""
        return await self._get(AgentObject, at("agents", agent_id))

    async def change_agent(self, agent_id: str, body: ChangeAgent | Json) -> AgentObject:
        """Change what `body` names; None takes a field back."""
        return await self._write(AgentObject, "PATCH", at("agents", agent_id), body)

    async def archive_agent(self, agent_id: str) -> None:
        """Let it make and answer no more calls."""
        await self.request("DELETE", at("agents", agent_id))

    def list_agent_versions(self, agent_id: str) -> AsyncGenerator[AgentVersionObject, None]:
        """What it was, the latest first."""
        return self._every(AgentVersionObject, at("agents", agent_id, "versions"))

    async def get_agent_version(self, agent_id: str, version: int) -> AgentVersionObject:
        """What it was."""
        return await self._get(AgentVersionObject, at("agents", agent_id, "versions", str(version)))

    async def attach_agent_number(self, agent_id: str, body: AgentNumber | Json) -> AgentObject:
        """Let it call from a number, or answer it. Raises ApiError `number_answered`."""
        return await self._post(AgentObject, at("agents", agent_id, "numbers"), body)

    async def detach_agent_number(self, agent_id: str, number_id: str) -> None:
        """Take a number from it."""
        await self.request("DELETE", at("agents", agent_id, "numbers", number_id))

    async def set_agent_primary_number(
        self, agent_id: str, body: AgentNumber | Json
    ) -> AgentObject:
        """Have it call from one of its numbers unless told otherwise."""
        return await self._write(AgentObject, "PUT", at("agents", agent_id, "primary-number"), body)

    def list_secrets(self) -> AsyncGenerator[NamedSecretObject, None]:
        """The name of every secret, oldest first."""
        return self._every(NamedSecretObject, at("secrets"))

    async def put_secret(self, name: str, body: PutSecret | Json) -> NamedSecretObject:
        """Keep a secret, or replace it."""
        return await self._write(NamedSecretObject, "PUT", at("secrets", name), body)

    async def delete_secret(self, name: str) -> None:
        """Forget a secret."""
        await self.request("DELETE", at("secrets", name))

    def list_sounds(self) -> AsyncGenerator[SoundObject, None]:
        """What an agent can have beside its voice."""
        return self._every(SoundObject, at("sounds"), paged=False)
