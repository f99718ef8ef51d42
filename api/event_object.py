"""A call's event, as the event stream and the client tell it."""

from pydantic import BaseModel, Field

from api.records import CallEvent
from api.times import rfc3339


class EventObject(BaseModel):
    """The `data` of one event."""

    id: str = Field(
        description="`evt_…`; the webhook of the same event has it as `webhook-id`.",
        examples=["evt_2KWPBgLlAfxdpx2AI54pPJ85f4W"],
    )
    call_id: str = Field(json_schema_extra={"format": "uuid"})
    seq: int = Field(description="1 for the call's first event; also the SSE id.", examples=[3])
    type: str = Field(
        description="Such as `call.ringing`, `call.turn`; also the SSE event name.",
        examples=["call.early_media"],
    )
    timestamp: str = Field(json_schema_extra={"format": "date-time"})
    data: dict[str, object] = Field(
        description="`{call}` where the status changed, `{turn}` for `call.turn`, the facts of "
        "the event otherwise.",
        examples=[{}],
    )


def event_object(event: CallEvent) -> dict[str, object]:
    """The JSON object of `event`."""
    return {
        "id": event.id,
        "call_id": event.call_id,
        "seq": event.seq,
        "type": event.type,
        "timestamp": rfc3339(event.at),
        "data": event.data,
    }
