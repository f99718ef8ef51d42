"""Placing, reading and ending calls."""

from collections.abc import Mapping
from typing import Final, cast, get_args

from pydantic import BaseModel, Field
from starlette.responses import JSONResponse, Response

from api.base.lifecycle import STATUSES, CallStatus, IllegalMoveError
from api.base.problems import FieldError, Problem, invalid
from api.base.times import parse_rfc3339
from api.http.body import parse_json
from api.http.endpoint import Answer, Endpoint, Exchange, Parameter, not_found
from api.http.paging import Filters, bad_cursor, page_parameters, read_page_query
from api.orders.place import number_field_of, place, read_order
from api.resources.attempt import AttemptObject, attempt_object
from api.resources.call import Call, CallObject, CreateCall, Direction, call_object
from api.resources.turn import Transcript, turn_object
from api.store.cursors import CursorError
from api.store.queries import CallFilter
from api.store.rows import UnknownCallError

FILTERS: Final[Filters] = {
    "status": STATUSES,
    "direction": get_args(Direction),
    "to_number": None,
    "from_number": None,
    "agent_id": None,
    "campaign_id": None,
    "concurrency_key": None,
    "api_key_id": None,
    "created_after": None,
    "created_before": None,
    "metadata": None,
}

CALL_ID = Parameter("call_id", "path", "Call id.", {"type": "string", "format": "uuid"})


class CallPage(BaseModel):
    """Calls, newest first."""

    data: list[CallObject]
    has_more: bool
    next_cursor: str | None = Field(description="Give it as `cursor` to get the next page.")


class AttemptList(BaseModel):
    """The attempts of a call, in order."""

    data: list[AttemptObject]


async def find_call(exchange: Exchange) -> Call:
    """The call that the path names; 404 without one."""
    try:
        return await exchange.services.store.calls.get(exchange.request.path_params["call_id"])
    except UnknownCallError as error:
        raise not_found("call") from error


async def create_call(exchange: Exchange) -> Response:
    """The call is on disk before the answer: it is neither lost nor dialled twice. Follow it by
    `webhook_url`, by its events, or by reading it.
    """
    services = exchange.services
    api_key_id = None if exchange.key is None else exchange.key.id
    body = parse_json(exchange.body)
    new = await read_order(services, body, api_key_id)
    call = await place(services, new, exchange.idempotent, number_field=number_field_of(body))
    return JSONResponse(call_object(call), 201, {"Location": f"/v1/calls/{call.id}"})


async def list_calls(exchange: Exchange) -> Response:
    """Filters may be combined. `next_cursor` stays good while calls are added."""
    query = read_page_query(exchange, FILTERS)
    try:
        page = await exchange.services.store.calls.page(
            limit=query.limit, cursor=query.cursor, wanted=_wanted(exchange, query.filters)
        )
    except CursorError as error:
        raise bad_cursor(error) from error
    return JSONResponse(
        {
            "data": [call_object(call) for call in page.calls],
            "has_more": page.next_cursor is not None,
            "next_cursor": page.next_cursor,
        }
    )


def _wanted(exchange: Exchange, filters: Mapping[str, str]) -> CallFilter:
    return CallFilter(
        status=cast("CallStatus | None", filters.get("status")),
        direction=cast("Direction | None", filters.get("direction")),
        to_number=filters.get("to_number"),
        from_number=filters.get("from_number"),
        agent_id=filters.get("agent_id"),
        campaign_id=filters.get("campaign_id"),
        concurrency_key=filters.get("concurrency_key"),
        api_key_id=filters.get("api_key_id"),
        created_after=_time(filters, "created_after"),
        created_before=_time(filters, "created_before"),
        metadata=dict(map(_label, exchange.request.query_params.getlist("metadata"))),
    )


def _label(text: str) -> tuple[str, str]:
    key, colon, value = text.partition(":")
    if not key or not colon:
        detail = "must be a key and its text, as customer:42"
        raise invalid([FieldError(detail, parameter="metadata")])
    return key, value


def _time(filters: Mapping[str, str], name: str) -> float | None:
    if name not in filters:
        return None
    if (at := parse_rfc3339(filters[name])) is not None:
        return at
    detail = "must be a time in RFC 3339 with its offset, as 2027-03-01T09:00:00Z"
    raise invalid([FieldError(detail, parameter=name)])


async def list_attempts(exchange: Exchange) -> Response:
    """Each time that the PBX dialled, with the network's own facts. A call without `retry` has at
    most one.
    """
    call = await find_call(exchange)
    tried = await exchange.services.store.calls.attempts(call.id)
    return JSONResponse({"data": [attempt_object(one) for one in tried]})


async def get_call(exchange: Exchange) -> Response:
    """Made for polling: send the `ETag` back in `If-None-Match`. `status` is final at the hang-up;
    `result` follows when `result_status` is no longer `pending`.
    """
    return JSONResponse(call_object(await find_call(exchange)))


async def get_transcript(exchange: Exchange) -> Response:
    """Turns are added while the call is live. Of what the agent said, only the words that were
    heard.
    """
    call = await find_call(exchange)
    turns = await exchange.services.store.calls.turns(call.id)
    return JSONResponse(
        {
            "call_id": call.id,
            "status": call.status,
            "turns": [turn_object(turn) for turn in turns],
        },
    )


async def cancel_call(exchange: Exchange) -> Response:
    """Works until the answer: 200 for a queued call, which is over at once; 202 where the PBX is
    dialling already.
    """
    call = await find_call(exchange)
    try:
        outcome = await exchange.services.store.calls.request_cancel(call.id)
    except IllegalMoveError as error:
        raise _conflict(error.current, "use hangup") from error
    return await _current(exchange, call.id, 200 if outcome == "canceled" else 202)


async def hang_up_call(exchange: Exchange) -> Response:
    """Works from the answer on. The final event tells when the call is over."""
    call = await find_call(exchange)
    try:
        await exchange.services.store.calls.request_hang_up(call.id)
    except IllegalMoveError as error:
        raise _conflict(error.current, "use cancel") from error
    return await _current(exchange, call.id, 202)


def _conflict(status: str, instead: str) -> Problem:
    if status == "in_progress":
        return Problem(409, "already_answered", f"the call is answered; {instead}")
    if status in {"queued", "initiated", "ringing"}:
        return Problem(409, "not_answered", f"the call is {status}, not answered; {instead}")
    return Problem(409, "already_ended", f"the call is over: it is {status}")


async def _current(exchange: Exchange, call_id: str, status_code: int) -> Response:
    call = await exchange.services.store.calls.get(call_id)
    return JSONResponse(call_object(call), status_code)


_SOME_ID = "6f1c2d3e-4b5a-4c6d-8e7f-901234567890"
_SOME_TIME = "2027-03-01T09:00:00Z"
_TIME = {"type": "string", "format": "date-time"}
_UNDER_WAY = Answer("It is being ended; its events tell when it is over.", CallObject)

ENDPOINTS = (
    Endpoint(
        "POST",
        "/v1/calls",
        create_call,
        "Place a call",
        "calls",
        {
            201: Answer("The call is queued.", CallObject, headers={"Location": "Its path."}),
            400: Answer("The body is not JSON."),
            413: Answer("The body is too large."),
            402: Answer("The budget does not allow it."),
            422: Answer("A field is wrong."),
        },
        body=CreateCall,
        scope="call",
        keeps_answer=True,
    ),
    Endpoint(
        "GET",
        "/v1/calls",
        list_calls,
        "List calls, newest first",
        "calls",
        {200: Answer("A page of calls.", CallPage), 422: Answer("A parameter is wrong.")},
        parameters=(
            *page_parameters("Calls"),
            Parameter(
                "status", "query", "Only these calls.", {"type": "string", "enum": list(STATUSES)}
            ),
            Parameter(
                "direction",
                "query",
                "Only calls that we made, or that we were brought.",
                {"type": "string", "enum": list(get_args(Direction))},
            ),
            Parameter("to_number", "query", "Number called.", example="+15551234567"),
            Parameter("from_number", "query", "Caller number.", example="+15559876543"),
            Parameter("agent_id", "query", "Calls of one agent.", example=_SOME_ID),
            Parameter("campaign_id", "query", "Calls of one campaign.", example=_SOME_ID),
            Parameter("concurrency_key", "query", "Calls with this key.", example="clinic-berlin"),
            Parameter("api_key_id", "query", "Calls placed with this key.", example=_SOME_ID),
            Parameter("created_after", "query", "From this time on.", _TIME, _SOME_TIME),
            Parameter("created_before", "query", "Before this time.", _TIME, _SOME_TIME),
            Parameter(
                "metadata",
                "query",
                "A key and its text, as `customer:42`; several are all to hold. Only texts of up "
                "to 256 characters among the top-level members of `metadata` are looked at.",
                {"type": "array", "items": {"type": "string"}},
                ["customer:42"],
            ),
        ),
    ),
    Endpoint(
        "GET",
        "/v1/calls/{call_id}/attempts",
        list_attempts,
        "Read the attempts of a call",
        "calls",
        {
            200: Answer("Every attempt, in order.", AttemptList),
            404: Answer("No such call."),
        },
        parameters=(CALL_ID,),
    ),
    Endpoint(
        "GET",
        "/v1/calls/{call_id}",
        get_call,
        "Read a call",
        "calls",
        {
            200: Answer("The call.", CallObject),
            404: Answer("No such call."),
        },
        parameters=(CALL_ID,),
    ),
    Endpoint(
        "GET",
        "/v1/calls/{call_id}/transcript",
        get_transcript,
        "Read what was said",
        "calls",
        {
            200: Answer("The transcript so far.", Transcript),
            404: Answer("No such call."),
        },
        parameters=(CALL_ID,),
    ),
    Endpoint(
        "POST",
        "/v1/calls/{call_id}/cancel",
        cancel_call,
        "Cancel a call that is not answered",
        "calls",
        {
            200: Answer("It was queued and is canceled.", CallObject),
            202: _UNDER_WAY,
            404: Answer("No such call."),
            409: Answer("It is answered or over."),
        },
        parameters=(CALL_ID,),
        scope="call",
    ),
    Endpoint(
        "POST",
        "/v1/calls/{call_id}/hangup",
        hang_up_call,
        "Hang up an answered call",
        "calls",
        {
            202: _UNDER_WAY,
            404: Answer("No such call."),
            409: Answer("It is not answered, or over."),
        },
        parameters=(CALL_ID,),
        scope="call",
    ),
)
