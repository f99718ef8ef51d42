"""Webhook endpoints: who is told of the events of all calls."""

import contextlib
from collections.abc import Iterator

from starlette.responses import JSONResponse, Response

from api.base.fields import parse_fields
from api.base.problems import Problem
from api.egress.policy import EgressPolicy
from api.http.body import parse_json
from api.http.endpoint import Answer, Endpoint, Exchange, Parameter, not_found
from api.resources.webhook import (
    ChangeEndpoint,
    CreateEndpoint,
    DeliveryObject,
    EndpointList,
    EndpointObject,
    EndpointWithSecret,
    NewEndpoint,
    RotateSecret,
    WebhookEndpoint,
    check_endpoint,
    delivery_object,
    endpoint_object,
)
from api.store.deliveries import EndpointDisabledError
from api.store.endpoints import (
    MAX_ENDPOINTS,
    EndpointTakenError,
    TooManyEndpointsError,
    UnknownEndpointError,
)

PATH = "/v1/webhook_endpoints"
ENDPOINT_ID = Parameter(
    "endpoint_id", "path", "Webhook endpoint id.", {"type": "string", "format": "uuid"}
)


async def create_webhook_endpoint(exchange: Exchange) -> Response:
    """It is told of the events of all calls from now on. `signing_secret` is told here and by a
    rotation only.
    """
    asked = parse_fields(CreateEndpoint, parse_json(exchange.body))
    check_endpoint(asked, EgressPolicy(exchange.services.settings.webhooks))
    new = NewEndpoint(
        asked.url, asked.description, tuple(asked.enabled_events), asked.status, asked.payload
    )
    try:
        endpoint = await exchange.services.store.endpoints.create(new)
    except TooManyEndpointsError as error:
        detail = f"there are {MAX_ENDPOINTS} endpoints already; delete one"
        raise Problem(409, "too_many_endpoints", detail) from error
    except EndpointTakenError as error:
        raise _taken() from error
    return _with_secret(endpoint, 201, {"Location": f"{PATH}/{endpoint.id}"})


async def list_webhook_endpoints(exchange: Exchange) -> Response:
    """There are 100 at most, so they come on one page."""
    found = await exchange.services.store.endpoints.list()
    data = [endpoint_object(endpoint) for endpoint in found]
    return JSONResponse({"data": data, "has_more": False, "next_cursor": None})


async def get_webhook_endpoint(exchange: Exchange) -> Response:
    """Without its secret."""
    return JSONResponse(endpoint_object(await find_endpoint(exchange)))


async def change_webhook_endpoint(exchange: Exchange) -> Response:
    """What is left out stays. A disabled endpoint is told of nothing new, and what waits for it is
    held until it is enabled again.
    """
    asked = parse_fields(ChangeEndpoint, parse_json(exchange.body))
    check_endpoint(asked, EgressPolicy(exchange.services.settings.webhooks))
    changes = asked.model_dump(include=asked.model_fields_set)
    with _named_endpoint(exchange) as endpoint_id:
        endpoint = await exchange.services.store.endpoints.change(endpoint_id, changes)
    return JSONResponse(endpoint_object(endpoint))


async def delete_webhook_endpoint(exchange: Exchange) -> Response:
    """What waits for it is not delivered any more."""
    with _named_endpoint(exchange) as endpoint_id:
        await exchange.services.store.endpoints.delete(endpoint_id)
    return Response(status_code=204)


async def rotate_webhook_secret(exchange: Exchange) -> Response:
    """The old secret signs too for `overlap_seconds`, so that receivers have time to change."""
    asked = parse_fields(RotateSecret, parse_json(exchange.body) if exchange.body else {})
    with _named_endpoint(exchange) as endpoint_id:
        endpoint = await exchange.services.store.endpoints.rotate(
            endpoint_id, asked.overlap_seconds
        )
    return _with_secret(endpoint, 200)


async def send_test_event(exchange: Exchange) -> Response:
    """A `webhook.test` event, tried once."""
    with _named_endpoint(exchange) as endpoint_id:
        delivery = await exchange.services.store.deliveries.test(endpoint_id)
    return JSONResponse(
        delivery_object(delivery), 202, {"Location": f"/v1/webhook_deliveries/{delivery.id}"}
    )


async def find_endpoint(exchange: Exchange) -> WebhookEndpoint:
    """The endpoint that the path names; 404 without one."""
    with _named_endpoint(exchange) as endpoint_id:
        return await exchange.services.store.endpoints.get(endpoint_id)


@contextlib.contextmanager
def _named_endpoint(exchange: Exchange) -> Iterator[str]:
    """The endpoint id that the path names; what the store objects to becomes its problem."""
    try:
        yield exchange.request.path_params["endpoint_id"]
    except UnknownEndpointError as error:
        raise not_found("webhook endpoint") from error
    except EndpointTakenError as error:
        raise _taken() from error
    except EndpointDisabledError as error:
        raise disabled() from error


def disabled() -> Problem:
    """409 for what would be sent to a disabled endpoint."""
    return Problem(409, "endpoint_disabled", "the webhook endpoint is disabled; enable it first")


def _taken() -> Problem:
    return Problem(409, "url_taken", "another webhook endpoint has this URL")


def _with_secret(
    endpoint: WebhookEndpoint, status: int, headers: dict[str, str] | None = None
) -> Response:
    content = endpoint_object(endpoint) | {"signing_secret": endpoint.secret}
    return JSONResponse(content, status, {"Cache-Control": "no-store"} | (headers or {}))


_NONE = Answer("No such webhook endpoint.")
_WRONG = Answer("A field is wrong.")
_MALFORMED = Answer("The body is not JSON.")
_TAKEN = Answer("Another endpoint has this URL, or there are too many.")

ENDPOINTS = (
    Endpoint(
        "POST",
        PATH,
        create_webhook_endpoint,
        "Add a webhook endpoint",
        "webhooks",
        {
            201: Answer("It is added.", EndpointWithSecret, headers={"Location": "Its path."}),
            400: _MALFORMED,
            409: _TAKEN,
            422: _WRONG,
        },
        body=CreateEndpoint,
    ),
    Endpoint(
        "GET",
        PATH,
        list_webhook_endpoints,
        "List webhook endpoints",
        "webhooks",
        {200: Answer("All of them.", EndpointList)},
    ),
    Endpoint(
        "GET",
        PATH + "/{endpoint_id}",
        get_webhook_endpoint,
        "Read a webhook endpoint",
        "webhooks",
        {200: Answer("The endpoint.", EndpointObject), 404: _NONE},
        parameters=(ENDPOINT_ID,),
    ),
    Endpoint(
        "PATCH",
        PATH + "/{endpoint_id}",
        change_webhook_endpoint,
        "Change, disable or enable a webhook endpoint",
        "webhooks",
        {
            200: Answer("The endpoint as it is now.", EndpointObject),
            400: _MALFORMED,
            404: _NONE,
            409: Answer("Another endpoint has this URL."),
            422: _WRONG,
        },
        body=ChangeEndpoint,
        parameters=(ENDPOINT_ID,),
    ),
    Endpoint(
        "DELETE",
        PATH + "/{endpoint_id}",
        delete_webhook_endpoint,
        "Delete a webhook endpoint with its deliveries",
        "webhooks",
        {204: Answer("It is gone."), 404: _NONE},
        parameters=(ENDPOINT_ID,),
    ),
    Endpoint(
        "POST",
        PATH + "/{endpoint_id}/rotate_secret",
        rotate_webhook_secret,
        "Give a webhook endpoint a new secret",
        "webhooks",
        {
            200: Answer("The endpoint with its new secret.", EndpointWithSecret),
            400: _MALFORMED,
            404: _NONE,
            422: _WRONG,
        },
        body=RotateSecret,
        body_required=False,
        parameters=(ENDPOINT_ID,),
    ),
    Endpoint(
        "POST",
        PATH + "/{endpoint_id}/test",
        send_test_event,
        "Send a `webhook.test` event",
        "webhooks",
        {
            202: Answer(
                "It is on its way and tried once; read the delivery for what came of it.",
                DeliveryObject,
                headers={"Location": "The delivery's path."},
            ),
            404: _NONE,
            409: Answer("The endpoint is disabled."),
        },
        parameters=(ENDPOINT_ID,),
    ),
)
