"""What a receiver of a dialect's webhooks is sent."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from api.call_object import call_object
from api.compat.callingbox_objects import callingbox_call_of
from api.compat.oneinbox_objects import webhook_content
from api.compat.revox_objects import call_envelope
from api.compat.story import Story, tell
from api.services import Services
from api.settings import PayloadStyle
from api.webhook_message import encoded, payload
from api.webhook_records import WebhookEvent

#: Styles whose body is made of the call as it is at the time of sending.
BODIES: Final[Mapping[PayloadStyle, Callable[[Story, WebhookEvent], Mapping[str, Any]]]] = {
    "callingbox_call": lambda story, _: callingbox_call_of(call_object(story.call)),
    "oneinbox": webhook_content,
    "revox": lambda story, _: call_envelope(story),
}


async def webhook_body(services: Services, event: WebhookEvent, style: PayloadStyle) -> bytes:
    """The body of an event in a style."""
    if style == "callingbox_call" and "call" in event.data:
        return encoded(callingbox_call_of(event.data["call"]))
    build = BODIES.get(style)
    if build is None or event.call_id is None:
        return payload(event, style)
    call = await services.store.calls.get(event.call_id)
    (story,) = await tell(services, [call])
    return encoded(build(story, event))
