"""Bodies of the webhooks that dialects tell in a form of their own."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from api.compat.call_details import CallDetails, load_details
from api.compat.callingbox.objects import callingbox_call, callingbox_call_of
from api.compat.oneinbox.objects import webhook_content
from api.compat.revox.objects import call_envelope
from api.http.services import Services
from api.resources.webhook import WebhookEvent
from api.settings import PayloadStyle
from api.webhooks.message import encoded, payload

#: Styles whose body is made of the call as it is at the time of sending.
BODIES: Final[Mapping[PayloadStyle, Callable[[CallDetails, WebhookEvent], Mapping[str, Any]]]] = {
    "callingbox_call": lambda details, _: callingbox_call(details.call).model_dump(),
    "oneinbox": webhook_content,
    "revox": lambda details, _: call_envelope(details),
}


async def webhook_body(services: Services, event: WebhookEvent, style: PayloadStyle) -> bytes:
    """The body of an event in a style."""
    if "call" in event.data and style in {"callingbox", "callingbox_call"}:
        theirs = callingbox_call_of(event.data["call"])
        if style == "callingbox_call":
            return encoded(theirs)
        event = replace(event, data={**event.data, "call": theirs})
    build = BODIES.get(style)
    if build is None or event.call_id is None:
        return payload(event, style)
    call = await services.store.calls.get(event.call_id)
    (details,) = await load_details(services, [call])
    return encoded(build(details, event))
