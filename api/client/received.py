"""Reading a webhook: the signature first (Standard Webhooks 1.0), then the event."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from standardwebhooks import Webhook, WebhookVerificationError

from api.client.errors import WebhookError
from api.client.reading import read
from api.resources.call import CallObject


@dataclass(frozen=True)
class ReceivedEvent:
    """An event, whichever style its body has (`webhooks.payload`)."""

    id: str
    """`evt_…`, the same on every attempt at delivering it: drop what you have had already."""
    type: str
    """Such as `call.completed`."""
    call_id: str | None
    """None for a test."""
    call: CallObject | None
    """Where the call's status changed."""
    data: Mapping[str, Any]
    """The facts; `{call}` where the status changed."""


def read_webhook(body: bytes, headers: Mapping[str, str], secret: str) -> ReceivedEvent:
    """The event that a webhook tells.

    Args:
        body: the bytes as they came.
        headers: the request's.
        secret: `whsec_…` of the endpoint, or of the deployment.

    Raises WebhookError unless it was signed with `secret` within the last five minutes.
    """
    verifier = Webhook(secret)
    lower = {name.lower(): value for name, value in headers.items()}
    try:
        verifier.verify(body, lower, json_parse=False)
        content: dict[str, Any] = json.loads(body)
        kind = str(content["type"])
    # A hostile header makes the library raise whatever its parsing stumbles over.
    except (WebhookVerificationError, ValueError, KeyError, TypeError) as error:
        raise WebhookError(f"not a webhook of this secret: {error}") from error
    event_id = lower["webhook-id"]
    data = content.get("data") if content.get("id") == event_id else None
    if not isinstance(data, dict):  # the style `call`: what is told stands beside the type
        data = {name: value for name, value in content.items() if name != "type"}
        if "to_number" in data:
            data = {"call": data}
    call = read(CallObject, data["call"]) if "call" in data else None
    call_id = data.get("call_id") if call is None else call.id
    return ReceivedEvent(event_id, kind, call_id, call, data)
