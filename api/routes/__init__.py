"""The routes, one noun per module, and the table of them all."""

from api.endpoint import Endpoint
from api.routes import calls, events, recordings, system, webhooks

ENDPOINTS: tuple[Endpoint, ...] = (
    *calls.ENDPOINTS,
    *recordings.ENDPOINTS,
    *events.ENDPOINTS,
    *webhooks.ENDPOINTS,
    *system.ENDPOINTS,
)
