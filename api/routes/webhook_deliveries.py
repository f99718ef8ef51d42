"""The history of webhook deliveries, and sending one again."""

from typing import get_args

from starlette.responses import JSONResponse, Response

from api.http.endpoint import Answer, EndpointTable, Exchange, Parameter
from api.http.paging import page_parameters, read_page_query
from api.resources.answer import Page
from api.resources.webhook import DeliveryObject, DeliveryStatus
from api.routes.calls import CALL_ID, find_call
from api.routes.webhook_endpoints import ENDPOINT_ID

PATH = "/v1/webhook_deliveries"
STATUSES: tuple[str, ...] = get_args(DeliveryStatus)
DELIVERY_ID = Parameter("delivery_id", "path", "Delivery id.", {"type": "string", "format": "uuid"})
_PAGE = page_parameters("Deliveries", STATUSES)

route = EndpointTable("webhooks", CALL_ID, ENDPOINT_ID, DELIVERY_ID)


@route("GET", PATH, "List webhook deliveries, newest first", query=_PAGE)
async def list_webhook_deliveries(exchange: Exchange) -> Page[DeliveryObject]:
    """Of every receiver, each with its attempts."""
    return await _page(exchange)


@route(
    "GET",
    "/v1/webhook_endpoints/{endpoint_id}/deliveries",
    "List the deliveries of a webhook endpoint",
    query=_PAGE,
)
async def list_endpoint_deliveries(exchange: Exchange) -> Page[DeliveryObject]:
    """Each with its attempts, newest first."""
    endpoint = await exchange.store.endpoints.get(exchange.named("endpoint_id"))
    return await _page(exchange, endpoint_id=endpoint.id)


@route(
    "GET",
    "/v1/calls/{call_id}/webhook_deliveries",
    "List the webhook deliveries of a call",
    query=_PAGE,
)
async def list_call_deliveries(exchange: Exchange) -> Page[DeliveryObject]:
    """Each with its attempts, newest first."""
    return await _page(exchange, call_id=(await find_call(exchange)).id)


async def _page(exchange: Exchange, **of: str) -> Page[DeliveryObject]:
    query = read_page_query(exchange, {"status": STATUSES})
    page = await exchange.store.deliveries.page(
        limit=query.limit, cursor=query.cursor, status=query.filters.get("status"), **of
    )
    return Page[DeliveryObject].of(page)


@route("GET", PATH + "/{delivery_id}", "Read a delivery with its attempts")
async def get_webhook_delivery(exchange: Exchange) -> DeliveryObject:
    """What each attempt was answered with, and when the next one is."""
    return DeliveryObject.of(await exchange.store.deliveries.get(exchange.named("delivery_id")))


@route(
    "POST",
    PATH + "/{delivery_id}/redeliver",
    "Deliver an event again",
    {
        202: Answer("It is on its way, with the same event id.", DeliveryObject),
        409: "Its endpoint is disabled.",
    },
)
async def redeliver_webhook(exchange: Exchange) -> Response:
    """The same `webhook-id` and body, with the whole schedule of retries."""
    delivery = await exchange.store.deliveries.redeliver(exchange.named("delivery_id"))
    return JSONResponse(DeliveryObject.of(delivery).model_dump(), 202)


ENDPOINTS = route.endpoints
