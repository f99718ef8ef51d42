"""The recordings of a call: callee left, agent right."""

import asyncio
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from starlette.responses import FileResponse, Response

from api.base.problems import FieldError, Problem, invalid
from api.base.refusals import Conflict
from api.base.times import rfc3339
from api.calls.recording_conversion import ConversionError, convert
from api.calls.recording_folder import format_of
from api.calls.recording_formats import FORMATS, Format
from api.calls.recording_links import LIFETIME_S, MAX_LIFETIME_S
from api.http.accept import preferred
from api.http.endpoint import Answer, EndpointTable, Exchange, Parameter
from api.http.worked import WorkedResponse
from api.resources.answer import Accepted
from api.resources.attempt import Attempt
from api.resources.call import Call, CallObject
from api.resources.recording import RecordingLink
from api.routes.calls import CALL_ID, find_call

#: Of one order.
MAX_ATTEMPTS: Final = 1000


def _whole(maximum: int) -> Mapping[str, object]:
    return {"type": "integer", "minimum": 1, "maximum": maximum}


_RANGE = Parameter("Range", "header", "Bytes wanted.", example="bytes=0-1023")
ATTEMPT = Parameter(
    "attempt",
    "query",
    "Which attempt's; default the last one that was recorded.",
    _whole(MAX_ATTEMPTS),
    1,
)
_EXPIRES_IN = Parameter(
    "expires_in",
    "query",
    "Seconds that it is good for; default four hours.",
    _whole(MAX_LIFETIME_S),
    3600,
)
_FORMAT = Parameter(
    "format",
    "query",
    "What it is to be; default what `Accept` prefers, else what it is kept in.",
    {"enum": list(FORMATS)},
)
_ELSEWHERE: Final = "It lies on another node, which is named."
_NONE: Final = "No such call, or no recording of it."
_FILES: Final[Mapping[int, Answer | str]] = {
    200: Answer("Two channels: callee left, agent right.", media_type="audio/*"),
    206: Answer("The range asked for.", media_type="audio/*"),
    404: _NONE,
    409: "`recording_unreadable`: the file is broken, and comes only as it is kept.",
    416: Answer("No such range.", media_type="text/plain"),
    421: _ELSEWHERE,
}

_SWITCHED: Final[Mapping[int, Answer | str]] = {
    200: Answer("It is so from now on.", CallObject),
    202: Answer("It is noted; an event tells when it is so.", CallObject),
    409: "The call is not in progress, or nothing is recorded of it.",
}
#: So long what is asked is awaited, and between two looks, seconds.
_EFFECT_S: Final = 2.0
_LOOK_S: Final = 0.01

_NUMBER = Parameter("attempt", "path", "Number of the attempt.", example="1")

route = EndpointTable("calls", CALL_ID, _NUMBER)


@route(
    "GET",
    "/v1/calls/{call_id}/recording",
    "Fetch the recording",
    _FILES,
    query=(ATTEMPT, _FORMAT, _RANGE),
)
async def get_recording(exchange: Exchange) -> Response:
    """Two channels: the person left, the agent right; WAV (`audio/wav`) or Opus in Ogg
    (`audio/ogg`): what `format` names, else what the header `Accept` prefers, else as
    `recordings.format` was when it was made. It is there once the attempt is
    over; the call's and its attempts' `recording_available` say so. Ranges work of what is kept;
    the other format is made while it is sent.
    """
    call = await find_call(exchange)
    return await _file(exchange, await _recorded(exchange, call, asked_attempt(exchange)))


@route(
    "POST",
    "/v1/calls/{call_id}/recording/pause",
    "Pause the recording",
    _SWITCHED,
    scope="call",
)
async def pause_recording(exchange: Exchange) -> CallObject | Accepted[CallObject]:
    """For what is not to be kept, as a card number. Until `…/recording/resume` the recording has
    silence of the same length; no byte of what is said is written. Again: nothing happens.
    """
    return await _switched(exchange, paused=True)


@route(
    "POST",
    "/v1/calls/{call_id}/recording/resume",
    "Resume the recording",
    _SWITCHED,
    scope="call",
)
async def resume_recording(exchange: Exchange) -> CallObject | Accepted[CallObject]:
    """Ends every pause, the agent's too (`pause_recording` among its tools). Again: nothing
    happens.
    """
    return await _switched(exchange, paused=False)


async def _switched(exchange: Exchange, *, paused: bool) -> CallObject | Accepted[CallObject]:
    """Ask whoever runs the call, and wait until it is so."""
    call = await exchange.store.recordings.ask(exchange.named("call_id"), paused=paused)
    given_up = time.monotonic() + _EFFECT_S
    while (facts := call.recording_facts) is not None and not facts.over:
        if facts.paused is paused:
            return call.shown
        if time.monotonic() > given_up:
            return Accepted(call.shown)
        await asyncio.sleep(_LOOK_S)
        call = await exchange.store.calls.get(call.id)
    raise Conflict("not_recorded", "nothing is recorded of the call any more")


@route(
    "GET",
    "/v1/calls/{call_id}/recording_link",
    "Get a link to the recording",
    {404: _NONE, 421: _ELSEWHERE},
    query=(ATTEMPT, _FORMAT, _EXPIRES_IN),
)
async def get_recording_link(exchange: Exchange) -> RecordingLink:
    """For players and people without a key. Whoever has the link can listen until it expires,
    in either format: `format` only says which the link itself asks for."""
    call = await find_call(exchange)
    attempt = await _recorded(exchange, call, asked_attempt(exchange))
    require_here(exchange, attempt)
    lifetime = _number(exchange, "expires_in", MAX_LIFETIME_S) or LIFETIME_S
    expires_at = int(time.time()) + lifetime
    url = exchange.services.links.url(call.id, attempt.number, expires_at)
    if (wanted := _wanted(exchange)) is not None:
        url += f"&format={wanted}"
    return RecordingLink(url=url, expires_at=rfc3339(expires_at))


@route(
    "GET",
    "/recordings/{call_id}/{attempt}",
    "Follow a link to a recording",
    {
        **_FILES,
        404: "The link is not ours or has expired, or there is no recording.",
        429: Answer(
            "Too many downloads are under way.",
            headers={"Retry-After": "Seconds after which to try again."},
        ),
    },
    query=(
        Parameter("expires", "query", "As in the link.", example="1803888000"),
        Parameter("signature", "query", "As in the link.", example="5f0c"),
        _FORMAT,
        _RANGE,
    ),
    public=True,
)
async def get_linked_recording(exchange: Exchange) -> Response:
    """Where links lead. `format`, `Accept` and ranges are as with the recording itself."""
    path, query = exchange.request.path_params, exchange.request.query_params
    call_id, attempt = path["call_id"], _digits(path["attempt"])
    expires_at, signature = _digits(query.get("expires", "")), query.get("signature", "")
    links = exchange.services.links
    if not links.holds(call_id, attempt, expires_at, signature, time.time()):
        detail = "the link is not ours or has expired; ask for another one"
        raise Problem(404, "link_expired", detail)
    call = await exchange.store.calls.get(call_id)
    return await _file(exchange, await _recorded(exchange, call, attempt))


async def _file(exchange: Exchange, attempt: Attempt) -> Response:
    assert attempt.recording_path is not None
    require_here(exchange, attempt)
    folder = exchange.services.recordings
    path = await asyncio.to_thread(folder.file, attempt.recording_path)
    if path is None:
        raise Problem(404, "no_recording", "the recording's file is no longer there")
    kept_as, wanted = format_of(path.name), _wanted(exchange)
    headers = {} if wanted else {"Vary": "Accept"}
    if wanted is None:
        offered = sorted(FORMATS, key=lambda one: one != kept_as)
        accept = ",".join(exchange.request.headers.getlist("accept"))
        wanted = preferred(accept, {one: FORMATS[one].media_types for one in offered})
    if wanted in (None, kept_as):
        kind = FORMATS[kept_as].media_types[0]
        return FileResponse(path, headers=headers, media_type=kind, filename=path.name)
    return await asyncio.to_thread(_converted, path, wanted, headers)


def _converted(path: Path, wanted: Format, headers: dict[str, str]) -> Response:
    """The recording at `path` in the format that it is not kept in."""
    try:
        made, kept = convert(path, wanted), path.stat()
    except ConversionError as error:
        detail = f"the file is broken, and cannot be had as {wanted}: {error}"
        raise Problem(409, "recording_unreadable", detail) from error
    kind = FORMATS[wanted]
    headers |= {
        "Accept-Ranges": "none",
        "Content-Disposition": f'attachment; filename="{path.stem}{kind.ending}"',
        # Weak: an encoder may make other bytes of the same sound.
        "ETag": f'W/"{kept.st_mtime_ns:x}-{kept.st_size:x}-{wanted}"',
    }
    if made.size is not None:
        headers["Content-Length"] = str(made.size)
    return WorkedResponse(made.pieces, headers, kind.media_types[0])


def _wanted(exchange: Exchange) -> Format | None:
    """The format that the query names."""
    text = exchange.request.query_params.get("format")
    for one in FORMATS:
        if text == one:
            return one
    if text is None:
        return None
    raise invalid([FieldError(f"must be one of {', '.join(FORMATS)}", parameter="format")])


def require_here(exchange: Exchange, attempt: Attempt) -> None:
    """Raises Problem for an attempt whose files lie on another node."""
    node, here = attempt.recording_node, exchange.services.node
    if node not in (None, here):
        detail = f"it lies on node {node}; ask the server there, this is {here}"
        raise Problem(421, "recording_elsewhere", detail)


async def _recorded(exchange: Exchange, call: Call, number: int | None) -> Attempt:
    """The attempt of this number, else the latest one, that was recorded; 404 without one."""
    for attempt in reversed(await exchange.services.store.calls.attempts(call.id)):
        if attempt.recorded and number in (None, attempt.number):
            return attempt
    state = "it was not recorded" if call.over else "the call is not over"
    raise Problem(404, "no_recording", f"there is no recording: {state}")


def asked_attempt(exchange: Exchange) -> int | None:
    """The number of an attempt, where one is asked for. Raises Problem."""
    return _number(exchange, "attempt", MAX_ATTEMPTS)


def _number(exchange: Exchange, name: str, maximum: int) -> int | None:
    text = exchange.request.query_params.get(name)
    if text is None:
        return None
    if not 1 <= (number := _digits(text)) <= maximum:
        raise invalid([FieldError(f"must be a whole number from 1 to {maximum}", parameter=name)])
    return number


def _digits(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 12 else 0


ENDPOINTS = route.endpoints
