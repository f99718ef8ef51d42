"""Revox's API at its own paths: `/api/call`, `/api/assistants`, `/api/campaigns`, `/api/voices`."""

from typing import Final

from starlette.responses import JSONResponse, Response

from api.compat.revox_objects import RevoxCallEnvelope, call_envelope
from api.compat.story import find_story
from api.endpoint import Answer, Endpoint, Exchange, Parameter

CALL_ID: Final = Parameter("call_id", "path", "Call id.", {"type": "string", "format": "uuid"})


async def revox_get_call(exchange: Exchange) -> Response:
    """Of any call, however it was placed."""
    return JSONResponse(call_envelope(await find_story(exchange)))


ENDPOINTS: Final = (
    Endpoint(
        "GET",
        "/api/call/{call_id}",
        revox_get_call,
        "Read a call order",
        "revox",
        {200: Answer("The call.", RevoxCallEnvelope), 404: Answer("No such call.")},
        parameters=(CALL_ID,),
        dialect="revox",
    ),
)
