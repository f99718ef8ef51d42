"""API keys, and the server about itself."""

from collections.abc import AsyncGenerator
from typing import Any

from api.client.reading import parse, read
from api.client.transport import Json, Transport, at
from api.resources.health import HealthObject
from api.resources.key import CreateKey, KeyObject, KeyWithSecret


class Administration(Transport):
    """`/v1/api_keys`, and what is public."""

    async def create_api_key(self, body: CreateKey | Json) -> KeyWithSecret:
        """Make an API key.

        `key` is null where the first answer was lost: revoke that one and make another.
        """
        return await self._post(KeyWithSecret, at("api_keys"), body)

    def list_api_keys(self) -> AsyncGenerator[KeyObject, None]:
        """Keys, newest first, revoked ones too."""
        return self._every(KeyObject, at("api_keys"))

    async def get_api_key(self, key_id: str) -> KeyObject:
        """A key, without the key itself."""
        return await self._get(KeyObject, at("api_keys", key_id))

    async def revoke_api_key(self, key_id: str) -> KeyObject:
        """Make a key worthless."""
        return await self._post(KeyObject, at("api_keys", key_id, "revoke"))

    async def get_health(self) -> HealthObject:
        """The state of the server's parts, also where one does not work."""
        answer = await self.request("GET", "/healthz", good=frozenset({503}))
        return read(HealthObject, parse(answer.content))

    async def get_metrics(self) -> str:
        """The server's numbers, in Prometheus' text format."""
        return (await self.request("GET", "/metrics")).text

    async def get_openapi(self) -> dict[str, Any]:
        """The OpenAPI document."""
        document: dict[str, Any] = parse((await self.request("GET", "/openapi.json")).content)
        return document

    async def get_reference(self) -> str:
        """The reference, HTML."""
        return (await self.request("GET", "/docs")).text

    async def get_llms_text(self) -> str:
        """The summary for language models, Markdown."""
        return (await self.request("GET", "/llms.txt")).text
