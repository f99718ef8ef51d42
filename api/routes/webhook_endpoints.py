"""Webhook endpoints: who is told of the events of all calls."""

from starlette.responses import JSONResponse, Response

from api.egress.policy import EgressPolicy
from api.http.endpoint import Answer, EndpointTable, Exchange, Parameter
from api.resources.answer import Created, Page
from api.resources.page import PageOf
from api.resources.webhook import (
    ChangeEndpoint,
    CreateEndpoint,
    DeliveryObject,
    EndpointObject,
    EndpointWithSecret,
    NewEndpoint,
    RotateSecret,
    check_endpoint,
)

PATH = "/v1/webhook_endpoints"
ONE = PATH + "/{endpoint_id}"
ENDPOINT_ID = Parameter(
    "endpoint_id", "path", "Webhook endpoint id.", {"type": "string", "format": "uuid"}
)

route = EndpointTable("webhooks", ENDPOINT_ID)


@route(
    "POST",
    PATH,
    "Add a webhook endpoint",
    {409: "Another endpoint has this URL, or there are too many."},
)
async def create_webhook_endpoint(
    exchange: Exchange, asked: CreateEndpoint
) -> Created[EndpointWithSecret]:
    """It is told of the events of all calls from now on. `signing_secret` is told here and by a
    rotation only.
    """
    check_endpoint(asked, EgressPolicy(exchange.services.settings.webhooks))
    endpoint = await exchange.store.endpoints.create(NewEndpoint(**asked.model_dump()))
    return Created(EndpointWithSecret.of(endpoint), f"{PATH}/{endpoint.id}")


@route("GET", PATH, "List webhook endpoints")
async def list_webhook_endpoints(exchange: Exchange) -> Page[EndpointObject]:
    """There are 100 at most, so they come on one page."""
    found = await exchange.store.endpoints.list()
    return Page[EndpointObject].of(PageOf(tuple(found), None))


@route("GET", ONE, "Read a webhook endpoint")
async def get_webhook_endpoint(exchange: Exchange) -> EndpointObject:
    """Without its secret."""
    return EndpointObject.of(await exchange.store.endpoints.get(exchange.named("endpoint_id")))


@route(
    "PATCH",
    ONE,
    "Change, disable or enable a webhook endpoint",
    {409: "Another endpoint has this URL."},
)
async def change_webhook_endpoint(exchange: Exchange, asked: ChangeEndpoint) -> EndpointObject:
    """What is left out stays. A disabled endpoint is told of nothing new, and what waits for it is
    held until it is enabled again.
    """
    check_endpoint(asked, EgressPolicy(exchange.services.settings.webhooks))
    endpoints = exchange.store.endpoints
    return EndpointObject.of(await endpoints.change(exchange.named("endpoint_id"), asked.changes()))


@route("DELETE", ONE, "Delete a webhook endpoint with its deliveries")
async def delete_webhook_endpoint(exchange: Exchange) -> None:
    """What waits for it is not delivered any more."""
    await exchange.store.endpoints.delete(exchange.named("endpoint_id"))


@route("POST", ONE + "/rotate_secret", "Give a webhook endpoint a new secret", body_required=False)
async def rotate_webhook_secret(exchange: Exchange, asked: RotateSecret) -> EndpointWithSecret:
    """The old secret signs too for `overlap_seconds`, so that receivers have time to change."""
    endpoints = exchange.store.endpoints
    return EndpointWithSecret.of(
        await endpoints.rotate(exchange.named("endpoint_id"), asked.overlap_seconds)
    )


@route(
    "POST",
    ONE + "/test",
    "Send a `webhook.test` event",
    {
        202: Answer(
            "It is on its way and tried once; read the delivery for what came of it.",
            DeliveryObject,
            headers={"Location": "The delivery's path."},
        ),
        409: "The endpoint is disabled.",
    },
)
async def send_test_event(exchange: Exchange) -> Response:
    """A `webhook.test` event, tried once."""
    delivery = await exchange.store.deliveries.test(exchange.named("endpoint_id"))
    headers = {"Location": f"/v1/webhook_deliveries/{delivery.id}"}
    return JSONResponse(DeliveryObject.of(delivery).model_dump(), 202, headers)


ENDPOINTS = route.endpoints
