"""The routes, one noun per module, and the table of them all."""

from api.endpoint import Endpoint
from api.routes import (
    api_keys,
    calls,
    events,
    recordings,
    system,
    webhook_deliveries,
    webhook_endpoints,
    webhooks,
)

ENDPOINTS: tuple[Endpoint, ...] = (
    *calls.ENDPOINTS,
    *recordings.ENDPOINTS,
    *events.ENDPOINTS,
    *webhook_endpoints.ENDPOINTS,
    *webhook_deliveries.ENDPOINTS,
    *webhooks.ENDPOINTS,
    *api_keys.ENDPOINTS,
    *system.ENDPOINTS,
)
