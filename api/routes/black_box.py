"""The black box of a call."""

import asyncio
import io
from pathlib import Path

from starlette.responses import Response

from api.base.problems import Problem
from api.blackbox.archive import BoxError, pack
from api.calls.recording_folder import box_name
from api.http.endpoint import Answer, EndpointTable, Exchange
from api.resources.attempt import Attempt
from api.resources.call import Call
from api.routes.calls import CALL_ID, find_call
from api.routes.recordings import ATTEMPT, asked_attempt, require_here

route = EndpointTable("calls", CALL_ID)


@route(
    "GET",
    "/v1/calls/{call_id}/black_box",
    "Fetch the black box",
    {
        200: Answer("The archive.", media_type="application/zip"),
        404: "No such call, or no black box of it.",
        421: "It lies on another node, which is named.",
    },
    query=(ATTEMPT,),
)
async def get_black_box(exchange: Exchange) -> Response:
    """A ZIP archive of all that went into the call's conversation and of what was decided, for
    `offhook replay`: there with `black_box.enabled`, once the attempt is over, for as long as
    recordings and transcripts are kept. It holds audio of the times that were recorded, and words.
    """
    call = await find_call(exchange)
    attempts = await exchange.services.store.calls.attempts(call.id)
    number = asked_attempt(exchange)
    for attempt in reversed(attempts):
        if attempt.ended_at is not None and number in (None, attempt.number):
            path = await _kept(exchange, call, attempt)
            if path is not None:
                return await _archive(path)
    state = "none was kept (black_box.enabled)" if call.over else "the call is not over"
    raise Problem(404, "no_black_box", f"there is no black box: {state}")


async def _kept(exchange: Exchange, call: Call, attempt: Attempt) -> Path | None:
    if attempt.answered_at is None:
        return None
    require_here(exchange, attempt)
    folder = exchange.services.recordings
    return await asyncio.to_thread(folder.file, box_name(call.id, attempt.number))


async def _archive(kept: Path) -> Response:
    content = io.BytesIO()
    try:
        await asyncio.to_thread(pack, kept, content)
    except (FileNotFoundError, BoxError) as error:
        raise Problem(404, "no_black_box", f"there is no black box: {error}") from error
    name = f'attachment; filename="{kept.stem}.zip"'
    headers = {"Content-Disposition": name}
    return Response(content.getvalue(), media_type="application/zip", headers=headers)


ENDPOINTS = route.endpoints
