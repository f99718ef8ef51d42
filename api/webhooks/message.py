"""What a webhook receiver is sent: the body in each style, and the headers."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from api.base.signing import callingbox_signature, signed_headers
from api.base.times import rfc3339
from api.resources.webhook import WebhookEvent
from api.settings import PayloadStyle

#: Of the envelope that the style `callingbox` copies.
CALLINGBOX_API_VERSION: Final = "2026-04"


def payload(event: WebhookEvent, style: PayloadStyle) -> bytes:
    """The body for `event`, the same bytes on every attempt.

    `call` is the call object itself with a `type` key; `envelope` is Standard Webhooks' shape,
    `callingbox` CallingBox's. Where an event carries no call object, its facts stand in that place.
    Other dialects' bodies are made in `api.compat.webhooks`; what is about no call is told there as
    in `call`.
    """
    data = dict(event.data)
    if "call" not in data and event.call_id is not None:
        data = {"call_id": event.call_id} | data
    content: dict[str, Any]
    if style not in {"envelope", "callingbox"}:
        content = {"type": event.type} | data.get("call", data)
    elif style == "envelope":
        content = {
            "id": event.id,
            "type": event.type,
            "timestamp": rfc3339(event.at),
            "data": data,
        }
    else:
        content = {
            "id": event.id,
            "type": event.type,
            "created": int(event.at),
            "api_version": CALLINGBOX_API_VERSION,
            "data": data,
        }
    return encoded(content)


def encoded(content: Mapping[str, Any]) -> bytes:
    """A body's bytes."""
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


def message_headers(
    event: WebhookEvent, secrets: Sequence[str], timestamp: int, body: bytes
) -> dict[str, str]:
    """Standard Webhooks' headers and CallingBox's, signed with each secret.

    Args:
        event: what is told.
        secrets: each `whsec_…`.
        timestamp: Unix seconds of this attempt.
        body: exactly the bytes that are sent.
    """
    headers = signed_headers(secrets, event.id, timestamp, body) | {
        "CallingBox-Signature": callingbox_signature(secrets, timestamp, body),
        "CallingBox-Event-Id": event.id,
        "CallingBox-Event-Type": event.type,
        "X-CallingBox-Event": event.type,
    }
    return headers if event.call_id is None else headers | {"X-CallingBox-Call-Id": event.call_id}
