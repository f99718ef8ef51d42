"""The recording of a call: WAV, callee left, agent right."""

import asyncio

from starlette.responses import FileResponse, Response

from api.endpoint import Answer, Endpoint, Exchange, Parameter
from api.problems import Problem
from api.recording import recording_file
from api.routes.calls import CALL_ID, find_call


async def get_recording(exchange: Exchange) -> Response:
    """Two channels: the person left, the agent right. It is there once the call is over; the
    call's `recording_available` says so. Ranges work.
    """
    call = await find_call(exchange)
    if call.recording_path is None:
        state = "it was not recorded" if call.over else "the call is not over"
        raise Problem(404, "no_recording", f"there is no recording: {state}")
    folder = exchange.services.settings.recordings.dir
    path = await asyncio.to_thread(recording_file, folder, call.recording_path)
    if path is None or not path.is_file():
        raise Problem(404, "no_recording", "the recording's file is no longer there")
    return FileResponse(path, media_type="audio/wav", filename=f"{call.id}.wav")


ENDPOINTS = (
    Endpoint(
        "GET",
        "/v1/calls/{call_id}/recording",
        get_recording,
        "Fetch the recording",
        "calls",
        {
            200: Answer("Two channels: callee left, agent right.", media_type="audio/wav"),
            206: Answer("The range asked for.", media_type="audio/wav"),
            404: Answer("No such call, or no recording of it."),
            416: Answer("No such range.", media_type="text/plain"),
        },
        parameters=(CALL_ID, Parameter("Range", "header", "Bytes wanted.", example="bytes=0-1023")),
    ),
)
