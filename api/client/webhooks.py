"""Webhook endpoints, their deliveries, and the deployment's signing secret."""

from collections.abc import AsyncGenerator

from api.client.transport import Json, Transport, at
from api.resources.webhook import (
    ChangeEndpoint,
    CreateEndpoint,
    DeliveryObject,
    DeliveryStatus,
    EndpointObject,
    EndpointWithSecret,
    RotateSecret,
    SecretObject,
    SecretWithSecret,
)


class Webhooks(Transport):
    """`/v1/webhook_endpoints`, `/v1/webhook_deliveries`, `/v1/webhook_secret`."""

    async def create_webhook_endpoint(self, body: CreateEndpoint | Json) -> EndpointWithSecret:
        """Have the events of all calls sent to a URL; keep `signing_secret`."""
        return await self._post(EndpointWithSecret, at("webhook_endpoints"), body)

    def list_webhook_endpoints(self) -> AsyncGenerator[EndpointObject, None]:
        """Every endpoint, oldest first."""
        return self._every(EndpointObject, at("webhook_endpoints"), paged=False)

    async def get_webhook_endpoint(self, endpoint_id: str) -> EndpointObject:
        """An endpoint."""
        return await self._get(EndpointObject, at("webhook_endpoints", endpoint_id))

    async def change_webhook_endpoint(
        self, endpoint_id: str, body: ChangeEndpoint | Json
    ) -> EndpointObject:
        """Change what `body` names."""
        path = at("webhook_endpoints", endpoint_id)
        return await self._write(EndpointObject, "PATCH", path, body)

    async def delete_webhook_endpoint(self, endpoint_id: str) -> None:
        """Delete an endpoint with its deliveries."""
        await self.request("DELETE", at("webhook_endpoints", endpoint_id))

    async def rotate_webhook_secret(
        self, endpoint_id: str, body: RotateSecret | Json | None = None
    ) -> EndpointWithSecret:
        """Give an endpoint a new secret; the old one signs too for a time."""
        path = at("webhook_endpoints", endpoint_id, "rotate_secret")
        return await self._post(EndpointWithSecret, path, body)

    async def send_test_event(self, endpoint_id: str) -> DeliveryObject:
        """Send a `webhook.test` event, once."""
        return await self._post(DeliveryObject, at("webhook_endpoints", endpoint_id, "test"))

    def list_endpoint_deliveries(
        self, endpoint_id: str, *, status: DeliveryStatus | None = None
    ) -> AsyncGenerator[DeliveryObject, None]:
        """What was delivered to an endpoint, newest first."""
        path = at("webhook_endpoints", endpoint_id, "deliveries")
        return self._every(DeliveryObject, path, {"status": status})

    def list_webhook_deliveries(
        self, *, status: DeliveryStatus | None = None
    ) -> AsyncGenerator[DeliveryObject, None]:
        """What was delivered, newest first."""
        return self._every(DeliveryObject, at("webhook_deliveries"), {"status": status})

    async def get_webhook_delivery(self, delivery_id: str) -> DeliveryObject:
        """A delivery with its attempts."""
        return await self._get(DeliveryObject, at("webhook_deliveries", delivery_id))

    async def redeliver_webhook(self, delivery_id: str) -> DeliveryObject:
        """Send it again, with the whole schedule of retries."""
        return await self._post(DeliveryObject, at("webhook_deliveries", delivery_id, "redeliver"))

    async def get_webhook_secret(self) -> SecretObject:
        """Where the deployment's signing secret comes from."""
        return await self._get(SecretObject, at("webhook_secret"))

    async def rotate_default_secret(
        self, body: RotateSecret | Json | None = None
    ) -> SecretWithSecret:
        """Make a new signing secret of the deployment; the old one signs too for a time."""
        return await self._post(SecretWithSecret, at("webhook_secret", "rotate"), body)
