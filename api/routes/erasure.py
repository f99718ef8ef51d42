"""Erasing one call wholly."""

from api.calls.recording_keeper import RecordingKeeper
from api.http.endpoint import Answer, EndpointTable, Exchange
from api.resources.answer import Accepted
from api.resources.recording import Erasing
from api.routes.calls import CALL_ID

route = EndpointTable("calls", CALL_ID)


@route(
    "DELETE",
    "/v1/calls/{call_id}",
    "Erase a call that is over",
    {
        202: Answer("Files of it are left on some nodes, which delete them.", Erasing),
        204: "Nothing is left of it.",
        409: "It is not over.",
    },
)
async def delete_call(exchange: Exchange) -> Accepted[Erasing] | None:
    """For good: with its recordings, transcript, events, attempts and webhook deliveries, and as a
    campaign's contact. What it cost stays in the budget's entries, and a number that is not to be
    called stays on that list. Each node deletes its own files: until all have, the answer is 202,
    and to ask again tells how far it is; then there is no such call.
    """
    call_id = exchange.named("call_id")
    left = await RecordingKeeper(exchange.store, exchange.services.recordings).erase(call_id)
    return Accepted(Erasing(id=call_id, nodes=left)) if left else None


ENDPOINTS = route.endpoints
