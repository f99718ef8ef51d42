"""What the store takes and gives about webhooks: frozen records. Times are Unix seconds."""

from dataclasses import dataclass, field
from typing import Final, Literal

from api.records import JsonObject
from api.settings import PayloadStyle
from api.signing import signing_secrets

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
    enabled_events: tuple[str, ...] = (EVERY_EVENT,)
    status: EndpointStatus = "enabled"
    payload: PayloadStyle | None = None
    """Style of the body; None is the deployment's."""


@dataclass(frozen=True)
class WebhookEndpoint:
    """A stored receiver of the events of all calls."""

    id: str
    url: str
    description: str
    enabled_events: tuple[str, ...]
    status: EndpointStatus
    disabled_reason: DisabledReason | None
    disabled_at: float | None
    consecutive_failures: int
    """Deliveries given up since the last one that arrived."""
    secret: str = field(repr=False)
    """`whsec_…`."""
    previous_secret: str | None = field(repr=False)
    previous_secret_until: float | None
    """Until when deliveries are signed with the previous secret too."""
    payload: PayloadStyle | None
    """Style of the body; None is the deployment's."""
    created_at: float
    updated_at: float


@dataclass(frozen=True)
class DefaultSecret:
    """The deployment's own signing secret."""

    secret: str = field(repr=False)
    created_at: float | None
    """None where an earlier release made it."""
    previous_secret: str | None = field(default=None, repr=False)
    previous_secret_until: float | None = None

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


@dataclass(frozen=True)
class DeliveryPage:
    """A page of deliveries, newest first."""

    deliveries: tuple[PastDelivery, ...]
    next_cursor: str | None
    """Where the next page starts; None on the last page."""
