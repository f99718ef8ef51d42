"""The hosted services' APIs that clients may speak, and what those call states and events."""

from collections.abc import Mapping
from typing import Final, Literal

from api.base.json_object import JsonObject
from api.base.lifecycle import EVENT_OF, TERMINAL, WEBHOOK_EVENTS, CallStatus
from api.settings import PayloadStyle

Dialect = Literal["callingbox", "oneinbox", "revox"]
"""Whose API a client speaks, where it is not our own."""


def dialect_of(config: JsonObject) -> Dialect | None:
    """Whose client made an agent that also answers calls, by its configuration."""
    source = config.get("source") or {}
    return "callingbox" if "callingbox" in source else None


# -- where a call is -----------------------------------------------------------------------------

CallState = CallStatus | Literal["scheduled", "analyzing"]
"""A call's status, told apart where a dialect does: `scheduled` is a queued one that waits for its
time, a calling window or a retry, `analyzing` one that is over and whose result is being
extracted."""

#: What a queued call may wait for and still be `scheduled`; with anything else it is ready.
SCHEDULED: Final = frozenset({"scheduled_at", "calling_window", "retry_delay"})

# -- webhooks ------------------------------------------------------------------------------------

#: What a call's own `webhook_url` is told of, for calls placed in a dialect: our event to its name
#: there. Revox tells once, without a name, that an order is complete.
EVENT_NAMES: Final[Mapping[Dialect, Mapping[str, str]]] = {
    "callingbox": {name: name for name in sorted(WEBHOOK_EVENTS)},
    "oneinbox": {
        "call.answered": "call.started",
        "call.ended": "call.ended",
        "call.completed": "call.analyzed",
        "call.no_answer": "call.failed",
        "call.busy": "call.failed",
        "call.canceled": "call.failed",
        "call.failed": "call.failed",
        "call.recording.available": "call.recording.available",
        "call.turn": "transcript.partial",
        "call.transcript.final": "transcript.final",
    },
    "revox": dict.fromkeys((EVENT_OF[status] for status in TERMINAL), "call"),
}

#: Style of the body of what a call's own `webhook_url` is told. CallingBox's documents have the
#: call object itself there; its envelope is for endpoints that choose it.
INLINE_STYLE: Final[Mapping[Dialect, PayloadStyle]] = {
    "callingbox": "callingbox_call",
    "oneinbox": "oneinbox",
    "revox": "revox",
}
