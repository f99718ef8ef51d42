"""Erasing one call wholly."""

from starlette.responses import JSONResponse, Response

from api.base.problems import Problem
from api.calls.recording_keeper import RecordingKeeper
from api.http.endpoint import Answer, Endpoint, Exchange, not_found
from api.resources.recording import Erasing
from api.routes.calls import CALL_ID
from api.store.purge import CallNotOverError
from api.store.rows import UnknownCallError


async def delete_call(exchange: Exchange) -> Response:
    """For good: with its recordings, transcript, events, attempts and webhook deliveries, and as a
    campaign's contact. What it cost stays in the budget's entries, and a number that is not to be
    called stays on that list. Each node deletes its own files: until all have, the answer is 202,
    and to ask again tells how far it is; then there is no such call.
    """
    services = exchange.services
    call_id = exchange.request.path_params["call_id"]
    try:
        left = await RecordingKeeper(services.store, services.recordings).erase(call_id)
    except UnknownCallError as error:
        raise not_found("call") from error
    except CallNotOverError as error:
        detail = "the call is not over, or its result is on the way; end it, or try again"
        raise Problem(409, "not_over", detail) from error
    if left:
        return JSONResponse(Erasing(id=call_id, nodes=left).model_dump(), 202)
    return Response(status_code=204)


ENDPOINTS = (
    Endpoint(
        "DELETE",
        "/v1/calls/{call_id}",
        delete_call,
        "Erase a call that is over",
        "calls",
        {
            202: Answer("Files of it are left on some nodes, which delete them.", Erasing),
            204: Answer("Nothing is left of it."),
            404: Answer("No such call."),
            409: Answer("It is not over."),
        },
        parameters=(CALL_ID,),
    ),
)
