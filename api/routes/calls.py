"""Placing, reading and ending calls."""

import hashlib
import json
from typing import Any, cast

from pydantic import BaseModel, Field
from starlette.responses import JSONResponse, Response

from api.body import parse_json
from api.call_object import CallObject, TurnObject, call_object, turn_object
from api.egress import EgressPolicy
from api.endpoint import Answer, Endpoint, Exchange, Parameter, not_found
from api.lifecycle import STATUSES, CallStatus, IllegalMoveError
from api.paging import bad_cursor, page_parameters, read_page_query
from api.problems import Problem
from api.records import Call
from api.schemas import CreateCall, parse_call
from api.store.cursors import CursorError
from api.store.rows import UnknownCallError

CALL_ID = Parameter("call_id", "path", "Call id.", {"type": "string", "format": "uuid"})


class CallPage(BaseModel):
    """Calls, newest first."""

    data: list[CallObject]
    has_more: bool
    next_cursor: str | None = Field(description="Give it as `cursor` to get the next page.")


class Transcript(BaseModel):
    """What was said, in order."""

    call_id: str
    status: CallStatus
    turns: list[TurnObject]


async def find_call(exchange: Exchange) -> Call:
    """The call that the path names; 404 without one."""
    try:
        return await exchange.services.store.calls.get(exchange.request.path_params["call_id"])
    except UnknownCallError as error:
        raise not_found("call") from error


async def create_call(exchange: Exchange) -> Response:
    services = exchange.services
    new = parse_call(
        parse_json(exchange.body),
        services.settings.calls,
        services.languages,
        EgressPolicy(services.settings.webhooks),
    )
    call = await services.store.calls.create(new, exchange.idempotent)
    return JSONResponse(call_object(call), 201, {"Location": f"/v1/calls/{call.id}"})


async def list_calls(exchange: Exchange) -> Response:
    query = read_page_query(exchange, {"status": STATUSES})
    try:
        page = await exchange.services.store.calls.page(
            limit=query.limit,
            cursor=query.cursor,
            status=cast("CallStatus | None", query.filters.get("status")),
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


async def get_call(exchange: Exchange) -> Response:
    return _tagged(exchange, call_object(await find_call(exchange)))


async def get_transcript(exchange: Exchange) -> Response:
    call = await find_call(exchange)
    turns = await exchange.services.store.calls.turns(call.id)
    return _tagged(
        exchange,
        {
            "call_id": call.id,
            "status": call.status,
            "turns": [turn_object(turn) for turn in turns],
        },
    )


def _tagged(exchange: Exchange, content: dict[str, Any]) -> Response:
    """200 with an ETag, or 304 (RFC 9110 13.1.2), so that polling is cheap."""
    body = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {"ETag": etag, "Cache-Control": "private, no-cache"}
    seen = exchange.request.headers.get("if-none-match", "")
    tags = {tag.strip().removeprefix("W/") for tag in seen.split(",")}
    if etag in tags or "*" in tags:
        return Response(status_code=304, headers=headers)
    return Response(body, headers=headers, media_type="application/json")


async def cancel_call(exchange: Exchange) -> Response:
    call = await find_call(exchange)
    try:
        outcome = await exchange.services.store.calls.request_cancel(call.id)
    except IllegalMoveError as error:
        raise _conflict(error.current, "use hangup") from error
    if outcome == "requested":
        await exchange.services.control.cancel(call.id)
    return await _current(exchange, call.id, 200 if outcome == "canceled" else 202)


async def hang_up_call(exchange: Exchange) -> Response:
    call = await find_call(exchange)
    if call.status != "in_progress":
        raise _conflict(call.status, "use cancel")
    await exchange.services.control.hang_up(call.id)
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


_TAG = {"ETag": "Changes with the content; send it back in `If-None-Match`."}
_UNDER_WAY = Answer("It is being ended; its events tell when it is over.", CallObject)
_IF_NONE_MATCH = Parameter("If-None-Match", "header", "ETag of an earlier answer.")

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
        ),
    ),
    Endpoint(
        "GET",
        "/v1/calls/{call_id}",
        get_call,
        "Read a call",
        "calls",
        {
            200: Answer("The call.", CallObject, headers=_TAG),
            304: Answer("Not changed."),
            404: Answer("No such call."),
        },
        parameters=(CALL_ID, _IF_NONE_MATCH),
    ),
    Endpoint(
        "GET",
        "/v1/calls/{call_id}/transcript",
        get_transcript,
        "Read what was said",
        "calls",
        {
            200: Answer("The transcript so far.", Transcript, headers=_TAG),
            304: Answer("Not changed."),
            404: Answer("No such call."),
        },
        parameters=(CALL_ID, _IF_NONE_MATCH),
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
