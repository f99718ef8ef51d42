"""Agents, and the secrets that their tools use."""

from collections.abc import AsyncGenerator

from api.client.transport import Json, Transport, at
from api.secret_objects import NamedSecretObject, PutSecret
from api.sound_objects import SoundObject


class Agents(Transport):
    """`/v1/agents`, `/v1/secrets`."""

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
