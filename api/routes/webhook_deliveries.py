"""The history of webhook deliveries, and sending one again."""

from typing import Any, cast, get_args

from starlette.responses import JSONResponse, Response

from api.http.endpoint import Answer, Endpoint, Exchange, Parameter, not_found
from api.http.paging import bad_cursor, page_parameters, read_page_query
from api.resources.webhook import DeliveryList, DeliveryObject, DeliveryStatus, delivery_object
from api.routes.calls import CALL_ID, find_call
from api.routes.webhook_endpoints import ENDPOINT_ID, disabled, find_endpoint
from api.store.cursors import CursorError
from api.store.deliveries import EndpointDisabledError, UnknownDeliveryError

PATH = "/v1/webhook_deliveries"
STATUSES: tuple[str, ...] = get_args(DeliveryStatus)
DELIVERY_ID = Parameter("delivery_id", "path", "Delivery id.", {"type": "string", "format": "uuid"})


async def list_webhook_deliveries(exchange: Exchange) -> Response:
    """Of every receiver, each with its attempts."""
    return await _page(exchange)


async def list_endpoint_deliveries(exchange: Exchange) -> Response:
    """Each with its attempts, newest first."""
    return await _page(exchange, endpoint_id=(await find_endpoint(exchange)).id)


async def list_call_deliveries(exchange: Exchange) -> Response:
    """Each with its attempts, newest first."""
    return await _page(exchange, call_id=(await find_call(exchange)).id)


async def _page(exchange: Exchange, **of: str) -> Response:
    query = read_page_query(exchange, {"status": STATUSES})
    try:
        page = await exchange.services.store.deliveries.page(
            limit=query.limit,
            cursor=query.cursor,
            status=cast("DeliveryStatus | None", query.filters.get("status")),
            **of,
        )
    except CursorError as error:
        raise bad_cursor(error) from error
    content: dict[str, Any] = {
        "data": [delivery_object(delivery) for delivery in page.deliveries],
        "has_more": page.next_cursor is not None,
        "next_cursor": page.next_cursor,
    }
    return JSONResponse(content)


async def get_webhook_delivery(exchange: Exchange) -> Response:
    """What each attempt was answered with, and when the next one is."""
    delivery_id = exchange.request.path_params["delivery_id"]
    try:
        delivery = await exchange.services.store.deliveries.get(delivery_id)
    except UnknownDeliveryError as error:
        raise not_found("delivery") from error
    return JSONResponse(delivery_object(delivery))


async def redeliver_webhook(exchange: Exchange) -> Response:
    """The same `webhook-id` and body, with the whole schedule of retries."""
    delivery_id = exchange.request.path_params["delivery_id"]
    try:
        delivery = await exchange.services.store.deliveries.redeliver(delivery_id)
    except UnknownDeliveryError as error:
        raise not_found("delivery") from error
    except EndpointDisabledError as error:
        raise disabled() from error
    return JSONResponse(delivery_object(delivery), 202)


_PARAMETERS = (
    *page_parameters("Deliveries"),
    Parameter(
        "status", "query", "Only these deliveries.", {"type": "string", "enum": list(STATUSES)}
    ),
)
_PAGE = Answer("A page of deliveries.", DeliveryList)
_WRONG = Answer("A parameter is wrong.")
_NONE = Answer("No such delivery.")

ENDPOINTS = (
    Endpoint(
        "GET",
        PATH,
        list_webhook_deliveries,
        "List webhook deliveries, newest first",
        "webhooks",
        {200: _PAGE, 422: _WRONG},
        parameters=_PARAMETERS,
    ),
    Endpoint(
        "GET",
        "/v1/webhook_endpoints/{endpoint_id}/deliveries",
        list_endpoint_deliveries,
        "List the deliveries of a webhook endpoint",
        "webhooks",
        {200: _PAGE, 404: Answer("No such webhook endpoint."), 422: _WRONG},
        parameters=(ENDPOINT_ID, *_PARAMETERS),
    ),
    Endpoint(
        "GET",
        "/v1/calls/{call_id}/webhook_deliveries",
        list_call_deliveries,
        "List the webhook deliveries of a call",
        "webhooks",
        {200: _PAGE, 404: Answer("No such call."), 422: _WRONG},
        parameters=(CALL_ID, *_PARAMETERS),
    ),
    Endpoint(
        "GET",
        PATH + "/{delivery_id}",
        get_webhook_delivery,
        "Read a delivery with its attempts",
        "webhooks",
        {200: Answer("The delivery.", DeliveryObject), 404: _NONE},
        parameters=(DELIVERY_ID,),
    ),
    Endpoint(
        "POST",
        PATH + "/{delivery_id}/redeliver",
        redeliver_webhook,
        "Deliver an event again",
        "webhooks",
        {
            202: Answer("It is on its way, with the same event id.", DeliveryObject),
            404: _NONE,
            409: Answer("Its endpoint is disabled."),
        },
        parameters=(DELIVERY_ID,),
    ),
)
