"""CallingBox's webhook endpoints and deliveries (CB-4, CB-120, X-CB-16…20)."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from pydantic import BaseModel, Field
from starlette.responses import JSONResponse, Response

from api.base.fields import Body, parse_fields, without_default
from api.base.times import Timestamp
from api.compat.callingbox.calls import PREFIX
from api.compat.callingbox.objects import ORG_ID
from api.http.body import parse_json
from api.http.endpoint import Answer, Endpoint, Exchange, Parameter
from api.http.paging import PAGE_DEFAULT, PAGE_LIMIT
from api.resources.webhook import DeliveryStatus, DisabledReason, EndpointStatus
from api.routes.webhook_deliveries import DELIVERY_ID, list_webhook_deliveries, redeliver_webhook
from api.routes.webhook_endpoints import (
    ENDPOINT_ID,
    change_webhook_endpoint,
    create_webhook_endpoint,
    delete_webhook_endpoint,
    get_webhook_endpoint,
    list_webhook_endpoints,
    rotate_webhook_secret,
)

_PATH: Final = f"{PREFIX}/webhook_endpoints"


class CallingBoxCreateEndpoint(Body):
    """A webhook endpoint to add."""

    url: str = Field(examples=["https://your-server.example/hook"])
    description: str = Field(default="", max_length=500)
    enabled_events: list[str] = Field(default=["*"], min_length=1, examples=[["call.completed"]])


class CallingBoxChangeEndpoint(Body):
    """What to change; the rest stays."""

    url: str = Field(
        default="",
        examples=["https://your-server.example/other"],
        json_schema_extra=without_default,
    )
    description: str = Field(
        default="", max_length=500, examples=["Our CRM"], json_schema_extra=without_default
    )
    enabled_events: list[str] = Field(
        default=[], min_length=1, examples=[["*"]], json_schema_extra=without_default
    )
    status: EndpointStatus = Field(default="enabled", json_schema_extra=without_default)


class CallingBoxEndpoint(BaseModel):
    """X-CB-17."""

    id: str = Field(json_schema_extra={"format": "uuid"})
    org_id: str = ORG_ID
    url: str = Field(examples=["https://your-server.example/hook"])
    description: str = Field(examples=["Our CRM"])
    enabled_events: list[str] = Field(examples=[["*"]])
    status: EndpointStatus
    disabled_reason: DisabledReason | None
    disabled_at: Timestamp | None
    consecutive_failures: int = Field(examples=[0])
    created_at: Timestamp
    updated_at: Timestamp


class CallingBoxEndpointWithSecret(CallingBoxEndpoint):
    """With its secret, which is told only here."""

    signing_secret: str = Field(examples=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"])


class CallingBoxEndpointList(BaseModel):
    """Every endpoint, oldest first."""

    data: list[CallingBoxEndpoint]


class CallingBoxDelivery(BaseModel):
    """X-CB-19. What waits for a disabled endpoint is `pending`."""

    id: str = Field(json_schema_extra={"format": "uuid"})
    org_id: str = ORG_ID
    endpoint_id: str | None = Field(description="null: the call's own `webhook_url`.")
    call_id: str | None
    event_type: str = Field(examples=["call.completed"])
    url: str = Field(examples=["https://your-server.example/hook"])
    status: DeliveryStatus = Field(
        json_schema_extra={"enum": ["pending", "delivered", "exhausted"]}
    )
    attempt_count: int = Field(examples=[1])
    manual_retry_count: int = Field(examples=[0])
    next_attempt_at: Timestamp | None
    last_error: str | None
    last_response_status: int | None
    delivered_at: Timestamp | None
    created_at: Timestamp
    updated_at: Timestamp


class CallingBoxDeliveryList(BaseModel):
    """Deliveries, newest first."""

    data: list[CallingBoxDelivery]


async def callingbox_create_webhook_endpoint(exchange: Exchange) -> Response:
    """It is sent CallingBox's envelope. `signing_secret` is told here and by a rotation only."""
    asked = parse_fields(CallingBoxCreateEndpoint, parse_json(exchange.body))
    ours = {**asked.model_dump(), "payload": "callingbox"}
    return await _endpoint(exchange, await create_webhook_endpoint(_with_body(exchange, ours)))


async def callingbox_list_webhook_endpoints(exchange: Exchange) -> Response:
    """All of them."""
    organization_id = await exchange.services.store.organization.id()
    listed = _content(await list_webhook_endpoints(exchange))["data"]
    model = CallingBoxEndpoint
    return JSONResponse({"data": [_told(model, one, organization_id) for one in listed]})


async def callingbox_get_webhook_endpoint(exchange: Exchange) -> Response:
    """Without its secret."""
    return await _endpoint(exchange, await get_webhook_endpoint(exchange))


async def callingbox_change_webhook_endpoint(exchange: Exchange) -> Response:
    """`enabled` counts failures from 0."""
    asked = parse_fields(CallingBoxChangeEndpoint, parse_json(exchange.body))
    ours = asked.model_dump(include=asked.model_fields_set)
    return await _endpoint(exchange, await change_webhook_endpoint(_with_body(exchange, ours)))


async def callingbox_delete_webhook_endpoint(exchange: Exchange) -> Response:
    """What waits for it is not delivered any more."""
    return await delete_webhook_endpoint(exchange)


async def callingbox_rotate_webhook_secret(exchange: Exchange) -> Response:
    """The old secret signs nothing any more, at once (X-CB-18)."""
    ours = {"overlap_seconds": 0}
    return await _endpoint(exchange, await rotate_webhook_secret(_with_body(exchange, ours)))


async def callingbox_list_webhook_deliveries(exchange: Exchange) -> Response:
    """Of every receiver."""
    organization_id = await exchange.services.store.organization.id()
    listed = _content(await list_webhook_deliveries(exchange))["data"]
    model = CallingBoxDelivery
    return JSONResponse({"data": [_told(model, one, organization_id) for one in listed]})


async def callingbox_redeliver_webhook(exchange: Exchange) -> Response:
    """The same event id and body, with the whole schedule of retries (X-CB-15)."""
    answer = await redeliver_webhook(exchange)
    organization_id = await exchange.services.store.organization.id()
    told = _told(CallingBoxDelivery, _content(answer), organization_id)
    return JSONResponse(told, answer.status_code)


def _with_body(exchange: Exchange, body: Mapping[str, Any]) -> Exchange:
    return replace(exchange, body=json.dumps(body).encode())


async def _endpoint(exchange: Exchange, answer: Response) -> Response:
    content = _content(answer)
    organization_id = await exchange.services.store.organization.id()
    model = CallingBoxEndpointWithSecret if "signing_secret" in content else CallingBoxEndpoint
    told = _told(model, content, organization_id)
    return JSONResponse(told, answer.status_code, {"Cache-Control": "no-store"})


def _content(answer: Response) -> Any:
    return json.loads(bytes(answer.body))


def _told(model: type[BaseModel], ours: Mapping[str, Any], organization_id: str) -> dict[str, Any]:
    status = "pending" if ours["status"] == "held" else ours["status"]
    return model(**{**ours, "status": status, "org_id": organization_id}).model_dump()


_NONE = Answer("No such webhook endpoint.")
_WRONG = Answer("A field is wrong, or the body is not JSON.")
_TAKEN = Answer("Another endpoint has this URL, or there are too many.")
_NOW = Answer("The endpoint as it is now.", CallingBoxEndpoint)

ENDPOINTS: Final = (
    Endpoint(
        "POST",
        _PATH,
        callingbox_create_webhook_endpoint,
        "Add a webhook endpoint",
        "callingbox",
        {201: Answer("It is added.", CallingBoxEndpointWithSecret), 400: _WRONG, 409: _TAKEN},
        body=CallingBoxCreateEndpoint,
    ),
    Endpoint(
        "GET",
        _PATH,
        callingbox_list_webhook_endpoints,
        "List webhook endpoints",
        "callingbox",
        {200: Answer("All of them.", CallingBoxEndpointList)},
    ),
    Endpoint(
        "GET",
        _PATH + "/{endpoint_id}",
        callingbox_get_webhook_endpoint,
        "Read a webhook endpoint",
        "callingbox",
        {200: _NOW, 404: _NONE},
        parameters=(ENDPOINT_ID,),
    ),
    Endpoint(
        "PATCH",
        _PATH + "/{endpoint_id}",
        callingbox_change_webhook_endpoint,
        "Change, disable or enable a webhook endpoint",
        "callingbox",
        {200: _NOW, 400: _WRONG, 404: _NONE, 409: _TAKEN},
        body=CallingBoxChangeEndpoint,
        parameters=(ENDPOINT_ID,),
    ),
    Endpoint(
        "DELETE",
        _PATH + "/{endpoint_id}",
        callingbox_delete_webhook_endpoint,
        "Delete a webhook endpoint with its deliveries",
        "callingbox",
        {204: Answer("It is gone."), 404: _NONE},
        parameters=(ENDPOINT_ID,),
    ),
    Endpoint(
        "POST",
        _PATH + "/{endpoint_id}/rotate_secret",
        callingbox_rotate_webhook_secret,
        "Give a webhook endpoint a new secret",
        "callingbox",
        {200: Answer("With its new secret.", CallingBoxEndpointWithSecret), 404: _NONE},
        parameters=(ENDPOINT_ID,),
        body_required=False,
    ),
    Endpoint(
        "GET",
        f"{PREFIX}/webhook_deliveries",
        callingbox_list_webhook_deliveries,
        "List webhook deliveries, newest first",
        "callingbox",
        {
            200: Answer("The deliveries.", CallingBoxDeliveryList),
            400: Answer("A parameter is wrong."),
        },
        parameters=(
            Parameter(
                "limit",
                "query",
                "Most deliveries.",
                {"type": "integer", "minimum": 1, "maximum": PAGE_LIMIT, "default": PAGE_DEFAULT},
            ),
            Parameter(
                "status",
                "query",
                "Only these.",
                {"type": "string", "enum": ["pending", "delivered", "exhausted"]},
            ),
        ),
    ),
    Endpoint(
        "POST",
        f"{PREFIX}/webhook_deliveries/{{delivery_id}}/redeliver",
        callingbox_redeliver_webhook,
        "Deliver again",
        "callingbox",
        {
            202: Answer("It is on its way.", CallingBoxDelivery),
            404: Answer("No such delivery."),
            409: Answer("Its endpoint is disabled, or it is on its way already."),
        },
        parameters=(DELIVERY_ID,),
        body_required=False,
    ),
)
