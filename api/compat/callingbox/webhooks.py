"""CallingBox's webhook endpoints and deliveries."""

from typing import Annotated, Final, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, Field
from starlette.responses import JSONResponse, Response

from api.base.fields import Body, Change, parse_fields
from api.base.times import Timestamp
from api.compat.callingbox.calls import PREFIX
from api.compat.callingbox.objects import ORG_ID
from api.http.endpoint import Answer, EndpointTable, Exchange, Parameter
from api.http.paging import PAGE_DEFAULT, PAGE_LIMIT
from api.resources.answer import Created, Resource
from api.resources.webhook import (
    ChangeEndpoint,
    CreateEndpoint,
    DeliveryObject,
    DisabledReason,
    EndpointStatus,
    RotateSecret,
)
from api.routes.webhook_deliveries import DELIVERY_ID, list_webhook_deliveries
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
_ONE: Final = _PATH + "/{endpoint_id}"
_DELIVERIES: Final = f"{PREFIX}/webhook_deliveries"
_LISTED: Final = (
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
)
_TAKEN: Final = {409: "Another endpoint has this URL, or there are too many."}

M = TypeVar("M", bound=BaseModel)
route = EndpointTable("callingbox", ENDPOINT_ID, DELIVERY_ID)


class _EndpointFields(Body):
    description: str = Field(default="", max_length=500, examples=["Our CRM"])
    enabled_events: list[str] = Field(default=["*"], min_length=1, examples=[["call.completed"]])


class CallingBoxCreateEndpoint(_EndpointFields):
    """A webhook endpoint to add."""

    url: str = Field(examples=["https://your-server.example/hook"])


class CallingBoxChangeEndpoint(_EndpointFields, Change):
    """What to change; the rest stays."""

    url: str = Field(default="", examples=["https://your-server.example/other"])
    status: EndpointStatus = "enabled"


class CallingBoxEndpoint(BaseModel):
    """A webhook endpoint as the service tells it."""

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
    """What waits for a disabled endpoint is `pending`."""

    id: str = Field(json_schema_extra={"format": "uuid"})
    org_id: str = ORG_ID
    endpoint_id: str | None = Field(description="null: the call's own `webhook_url`.")
    call_id: str | None
    event_type: str = Field(examples=["call.completed"])
    url: str = Field(examples=["https://your-server.example/hook"])
    status: Annotated[
        Literal["pending", "delivered", "exhausted"],
        BeforeValidator(lambda status: "pending" if status == "held" else status),
    ]
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


@route("POST", _PATH, "Add a webhook endpoint", _TAKEN)
async def callingbox_create_webhook_endpoint(
    exchange: Exchange, asked: CallingBoxCreateEndpoint
) -> Created[CallingBoxEndpointWithSecret]:
    """It is sent CallingBox's envelope. `signing_secret` is told here and by a rotation only."""
    ours = parse_fields(CreateEndpoint, {**asked.model_dump(), "payload": "callingbox"})
    made = (await create_webhook_endpoint(exchange, ours)).made
    told = await _told(exchange, CallingBoxEndpointWithSecret, made)
    return Created(told, f"{_PATH}/{made.id}")


@route("GET", _PATH, "List webhook endpoints")
async def callingbox_list_webhook_endpoints(exchange: Exchange) -> CallingBoxEndpointList:
    """All of them."""
    listed = (await list_webhook_endpoints(exchange)).data
    return CallingBoxEndpointList(
        data=[await _told(exchange, CallingBoxEndpoint, one) for one in listed]
    )


@route("GET", _ONE, "Read a webhook endpoint")
async def callingbox_get_webhook_endpoint(exchange: Exchange) -> CallingBoxEndpoint:
    """Without its secret."""
    return await _told(exchange, CallingBoxEndpoint, await get_webhook_endpoint(exchange))


@route("PATCH", _ONE, "Change, disable or enable a webhook endpoint", _TAKEN)
async def callingbox_change_webhook_endpoint(
    exchange: Exchange, asked: CallingBoxChangeEndpoint
) -> CallingBoxEndpoint:
    """`enabled` counts failures from 0."""
    ours = parse_fields(ChangeEndpoint, asked.changes())
    changed = await change_webhook_endpoint(exchange, ours)
    return await _told(exchange, CallingBoxEndpoint, changed)


@route("DELETE", _ONE, "Delete a webhook endpoint with its deliveries")
async def callingbox_delete_webhook_endpoint(exchange: Exchange) -> None:
    """What waits for it is not delivered any more."""
    await delete_webhook_endpoint(exchange)


@route("POST", _ONE + "/rotate_secret", "Give a webhook endpoint a new secret")
async def callingbox_rotate_webhook_secret(exchange: Exchange) -> CallingBoxEndpointWithSecret:
    """The old secret signs nothing any more, at once."""
    rotated = await rotate_webhook_secret(exchange, RotateSecret(overlap_seconds=0))
    return await _told(exchange, CallingBoxEndpointWithSecret, rotated)


@route("GET", _DELIVERIES, "List webhook deliveries, newest first", query=_LISTED)
async def callingbox_list_webhook_deliveries(exchange: Exchange) -> CallingBoxDeliveryList:
    """Of every receiver."""
    listed = (await list_webhook_deliveries(exchange)).data
    return CallingBoxDeliveryList(
        data=[await _told(exchange, CallingBoxDelivery, one) for one in listed]
    )


@route(
    "POST",
    _DELIVERIES + "/{delivery_id}/redeliver",
    "Deliver again",
    {
        202: Answer("It is on its way.", CallingBoxDelivery),
        409: "Its endpoint is disabled, or it is on its way already.",
    },
)
async def callingbox_redeliver_webhook(exchange: Exchange) -> Response:
    """The same event id and body, with the whole schedule of retries."""
    delivery = await exchange.store.deliveries.redeliver(exchange.named("delivery_id"))
    told = await _told(exchange, CallingBoxDelivery, DeliveryObject.of(delivery))
    return JSONResponse(told.model_dump(), 202)


async def _told(exchange: Exchange, model: type[M], ours: Resource) -> M:
    organization_id = await exchange.store.organization.id()
    return model(**ours.model_dump(), org_id=organization_id)


ENDPOINTS: Final = route.endpoints
