"""Erasing one call wholly."""

from starlette.responses import Response

from api.endpoint import Answer, Endpoint, Exchange, not_found
from api.problems import Problem
from api.retention import RecordingStuckError, erase_call
from api.routes.calls import CALL_ID
from api.store.purge import CallNotOverError
from api.store.rows import UnknownCallError


async def delete_call(exchange: Exchange) -> Response:
    """For good: with its recordings, transcript, events, attempts and webhook deliveries, and as a
    campaign's contact. What it cost stays in the budget's entries, and a number that is not to be
    called stays on that list.
    """
    services = exchange.services
    call_id = exchange.request.path_params["call_id"]
    try:
        await erase_call(services.store, services.settings.recordings.dir, call_id)
    except UnknownCallError as error:
        raise not_found("call") from error
    except CallNotOverError as error:
        detail = "the call is not over, or its result is on the way; end it, or try again"
        raise Problem(409, "not_over", detail) from error
    except RecordingStuckError as error:
        detail = "its recording cannot be deleted, so the call stays; the server's log tells why"
        raise Problem(409, "recording_stuck", detail) from error
    return Response(status_code=204)


ENDPOINTS = (
    Endpoint(
        "DELETE",
        "/v1/calls/{call_id}",
        delete_call,
        "Erase a call that is over",
        "calls",
        {
            204: Answer("Nothing is left of it."),
            404: Answer("No such call."),
            409: Answer("It is not over, or its recording cannot be deleted."),
        },
        parameters=(CALL_ID,),
    ),
)
