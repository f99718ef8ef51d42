"""Webhook endpoints, deliveries and the secret that signs them."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field

from api.base.fields import Body, Change
from api.base.json_object import JsonObject
from api.base.lifecycle import CALL_EVENTS
from api.base.problems import FieldError, invalid, pointer
from api.base.signing import signing_secrets
from api.base.times import Timestamp
from api.egress.policy import EgressError, EgressPolicy
from api.resources.answer import Resource
from api.settings import PayloadStyle

#: In an endpoint's filter: every lifecycle event.
EVERY_EVENT: Final = "*"
TEST_EVENT: Final = "webhook.test"

EndpointStatus = Literal["enabled", "disabled"]
DisabledReason = Literal["requested", "too_many_failures", "gone"]
DeliveryStatus = Literal["pending", "held", "delivered", "exhausted"]


@dataclass(frozen=True)
class NewEndpoint:
    """A webhook endpoint as it comes in, already checked."""

    url: str
    description: str = ""
    enabled_events: Sequence[str] = (EVERY_EVENT,)
    status: EndpointStatus = "enabled"
    payload: PayloadStyle | None = None
    """Style of the body; None is the deployment's."""


@dataclass(frozen=True, kw_only=True)
class WebhookEndpoint(NewEndpoint):
    """A stored receiver of the events of all calls."""

    id: str
    disabled_reason: DisabledReason | None
    disabled_at: float | None
    consecutive_failures: int
    """Deliveries given up since the last one that arrived."""
    secret: str = field(repr=False)
    """`whsec_…`."""
    previous_secret: str | None = field(repr=False)
    previous_secret_until: float | None
    """Until when deliveries are signed with the previous secret too."""
    created_at: float
    updated_at: float

    @property
    def signing_secret(self) -> str:
        """As the API calls it."""
        return self.secret


@dataclass(frozen=True)
class DefaultSecret:
    """The deployment's own signing secret."""

    source: ClassVar = "store"

    secret: str = field(repr=False)
    created_at: float
    previous_secret: str | None = field(default=None, repr=False)
    previous_secret_until: float | None = None

    @property
    def signing_secret(self) -> str:
        """As the API calls it."""
        return self.secret

    def signing(self, now: float) -> tuple[str, ...]:
        """What to sign with at `now`."""
        return signing_secrets(self.secret, self.previous_secret, self.previous_secret_until, now)


@dataclass(frozen=True)
class WebhookEvent:
    """What a receiver is told."""

    id: str
    """`evt_…`, the same on every attempt; the webhook id."""
    type: str
    at: float
    call_id: str | None
    """None where it is about no call, such as a test."""
    data: JsonObject


@dataclass(frozen=True)
class Delivery:
    """One event on its way to one webhook receiver."""

    id: str
    endpoint_id: str | None
    inline: bool
    """Whether it goes to the call's own `webhook_url`."""
    url: str
    destination: str
    """Scheme, host and port."""
    payload: PayloadStyle | None
    attempt_count: int
    """Attempts booked so far."""
    failures: int
    """Attempts that failed since it was last put in the outbox."""
    secrets: tuple[str, ...] = field(repr=False)
    """Of the endpoint, the newest first; an inline delivery is signed with the default too."""
    event: WebhookEvent


@dataclass(frozen=True)
class Attempted:
    """How one attempt at a delivery went."""

    delivered: bool
    at: float
    duration_ms: int
    response_status: int | None = None
    error: str | None = None
    next_attempt_at: float | None = None
    """When to try again; None after a failure means never."""
    gone: bool = False
    """Whether the receiver wants nothing ever again."""


@dataclass(frozen=True)
class PastAttempt:
    """One attempt, as it was booked."""

    number: int
    """1 for the first."""
    at: float
    duration_ms: int
    response_status: int | None
    error: str | None


@dataclass(frozen=True)
class PastDelivery:
    """A delivery with its history."""

    id: str
    endpoint_id: str | None
    call_id: str | None
    event_id: str
    event_type: str
    url: str
    status: DeliveryStatus
    attempt_count: int
    manual_retry_count: int
    next_attempt_at: float | None
    last_error: str | None
    last_response_status: int | None
    delivered_at: float | None
    created_at: float
    updated_at: float
    attempts: tuple[PastAttempt, ...]


DAY_S: Final = 24 * 3600


class _EndpointFields(Body):
    description: str = Field(default="", max_length=500, description="Yours.", examples=["Our CRM"])
    enabled_events: list[str] = Field(
        default=[EVERY_EVENT],
        min_length=1,
        max_length=2 * len(CALL_EVENTS),
        description="Types of the events wanted, such as `call.completed`, `call.turn`; `*` stands "
        "for every lifecycle event.",
        examples=[["call.completed", "call.failed"]],
    )
    status: EndpointStatus = Field(
        default="enabled",
        description="`disabled` holds what waits to be delivered; `enabled` sends it and counts "
        "failures from 0.",
    )
    payload: PayloadStyle | None = Field(
        default=None,
        description="Style of the body; null means the deployment's, `webhooks.payload`.",
    )


class CreateEndpoint(_EndpointFields):
    """A webhook endpoint to add."""

    url: str = Field(
        description="Where to `POST`; each endpoint has its own URL.",
        examples=["https://your-server.example/events"],
    )


class ChangeEndpoint(_EndpointFields, Change):
    """What to change; the rest stays."""

    url: str = Field(
        default="",
        description="What waits to be delivered goes there too.",
        examples=["https://your-server.example/new-place"],
    )


class RotateSecret(Body):
    """How to rotate."""

    overlap_seconds: int = Field(
        default=DAY_S,
        ge=0,
        le=7 * DAY_S,
        description="How long deliveries are signed with the old secret too.",
    )


def check_endpoint(body: CreateEndpoint | ChangeEndpoint, egress: EgressPolicy) -> None:
    """Check what a model cannot: 422 for a URL that is refused or an event that does not exist."""
    errors = []
    given = body.model_fields_set
    if "url" in given:
        try:
            egress.check_url(body.url)
        except EgressError as error:
            errors.append(FieldError(str(error), pointer("url")))
    if "enabled_events" in given:
        for index, name in enumerate(body.enabled_events):
            if name not in CALL_EVENTS | {EVERY_EVENT}:
                near = difflib.get_close_matches(name, CALL_EVENTS, 1)
                hint = f"; did you mean {near[0]}?" if near else ""
                place = pointer("enabled_events", index)
                errors.append(FieldError(f"there is no such event{hint}", place))
    if errors:
        raise invalid(errors)


_Until = Annotated[
    Timestamp | None,
    Field(description="Until when deliveries are signed with the previous secret too."),
]
_Secret = Annotated[
    str,
    Field(
        description="`whsec_…`, as Standard Webhooks libraries take it.",
        examples=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
    ),
]


class EndpointObject(Resource):
    """A webhook endpoint."""

    id: str = Field(json_schema_extra={"format": "uuid"})
    url: str = Field(examples=["https://your-server.example/events"])
    description: str = Field(examples=["Our CRM"])
    enabled_events: list[str] = Field(examples=[["call.completed", "call.failed"]])
    status: EndpointStatus
    payload: PayloadStyle | None = Field(
        description="Style of the body; null is the deployment's, `webhooks.payload`."
    )
    disabled_reason: DisabledReason | None = Field(
        description="`requested`; `too_many_failures`: ten deliveries in a row were given up; "
        "`gone`: it answered 410."
    )
    disabled_at: Timestamp | None
    consecutive_failures: int = Field(
        description="Deliveries given up since the last one that arrived."
    )
    previous_secret_until: _Until
    created_at: Timestamp
    updated_at: Timestamp


class EndpointWithSecret(EndpointObject):
    """A webhook endpoint with its secret, which is told only here."""

    signing_secret: _Secret


class DeliveryAttemptObject(Resource):
    """One attempt at a delivery."""

    number: int = Field(description="1 for the first.")
    at: Timestamp
    duration_ms: int
    response_status: int | None = Field(description="HTTP status; null where none came.")
    error: str | None


class DeliveryObject(Resource):
    """One event for one receiver."""

    id: str = Field(json_schema_extra={"format": "uuid"})
    endpoint_id: str | None = Field(description="null: only the call's own `webhook_url` wants it.")
    call_id: str | None = Field(description="null for a test.")
    event_id: str = Field(
        description="The `webhook-id`, the same on every attempt.",
        examples=["evt_2KWPBgLlAfxdpx2AI54pPJ85f4W"],
    )
    event_type: str = Field(examples=["call.completed"])
    url: str = Field(examples=["https://your-server.example/events"])
    status: DeliveryStatus = Field(
        description="`held`: waits for its endpoint to be enabled; `exhausted`: given up."
    )
    attempt_count: int
    manual_retry_count: int = Field(description="How often it was asked to be sent again.")
    next_attempt_at: Timestamp | None
    last_error: str | None
    last_response_status: int | None
    delivered_at: Timestamp | None
    created_at: Timestamp
    updated_at: Timestamp
    attempts: list[DeliveryAttemptObject]


class SecretObject(Resource):
    """What may be told of the deployment's default signing secret."""

    source: Literal["settings", "store"] = Field(
        description="`settings`: it is `webhooks.secret`; `store`: Offhook made it, and it can be "
        "rotated."
    )
    created_at: Timestamp | None = Field(
        description="When it was made; null where the settings gave it."
    )
    previous_secret_until: _Until


class SecretWithSecret(SecretObject):
    """The deployment's default signing secret, which is told only here."""

    signing_secret: _Secret
