"""Events of calls."""

from dataclasses import dataclass

from pydantic import Field

from api.base.json_object import JsonObject
from api.base.times import Timestamp
from api.resources.answer import Resource


@dataclass(frozen=True)
class CallEvent:
    """One thing that happened to a call, as it was committed."""

    id: str
    """`evt_…`, unique for ever; the webhook id."""
    call_id: str
    seq: int
    """1 for the call's first event, without gaps."""
    type: str
    at: float
    terminal: bool
    """Whether it is the call's last event."""
    data: JsonObject

    @property
    def timestamp(self) -> float:
        """As the API calls it."""
        return self.at


class EventObject(Resource):
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
    timestamp: Timestamp
    data: dict[str, object] = Field(
        description="`{call}` where the status changed, `{turn}` for `call.turn`, the facts of "
        "the event otherwise.",
        examples=[{}],
    )
