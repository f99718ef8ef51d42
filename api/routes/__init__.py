"""The routes, one noun per module, and the table of them all."""

from api.endpoint import Endpoint
from api.routes import (
    api_keys,
    budget,
    calls,
    campaign_contacts,
    campaigns,
    do_not_call,
    erasure,
    events,
    numbers,
    rates,
    recordings,
    secrets,
    sounds,
    system,
    trunks,
    webhook_deliveries,
    webhook_endpoints,
    webhooks,
)

ENDPOINTS: tuple[Endpoint, ...] = (
    *calls.ENDPOINTS,
    *sounds.ENDPOINTS,
    *campaign_contacts.ENDPOINTS,
    *campaigns.ENDPOINTS,
    *erasure.ENDPOINTS,
    *recordings.ENDPOINTS,
    *events.ENDPOINTS,
    *webhook_endpoints.ENDPOINTS,
    *webhook_deliveries.ENDPOINTS,
    *webhooks.ENDPOINTS,
    *numbers.ENDPOINTS,
    *trunks.ENDPOINTS,
    *secrets.ENDPOINTS,
    *do_not_call.ENDPOINTS,
    *rates.ENDPOINTS,
    *budget.ENDPOINTS,
    *api_keys.ENDPOINTS,
    *system.ENDPOINTS,
)
