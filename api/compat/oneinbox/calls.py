"""OneInbox's calls: `/compat/oneinbox/v1/calls` (OI-1, X-OI-3, X-OI-4)."""

from dataclasses import replace
from typing import Final, get_args

from pydantic import BaseModel, Field
from starlette.responses import JSONResponse, Response

from api.base.fields import parse_fields
from api.base.lifecycle import STATUSES as OUR_STATUSES
from api.base.lifecycle import IllegalMoveError
from api.base.problems import FieldError, Problem, invalid
from api.compat.call_details import CallDetails, find_details, load_details
from api.compat.mapping import CALL_STATUS
from api.compat.oneinbox.fields import OneInboxChangeCall, OneInboxCreateCall
from api.compat.oneinbox.members import order_of
from api.compat.oneinbox.objects import OneInboxCall, OneInboxStatus, oneinbox_call, outcome_of
from api.compat.oneinbox.paging import LIMIT, PARAMETERS, Part, read_limit, read_part
from api.http.body import parse_json
from api.http.endpoint import Answer, Endpoint, Exchange, Parameter
from api.http.paging import bad_cursor
from api.orders.place import place, read_order
from api.resources.call import Call
from api.routes.calls import CALL_ID, cancel_call, find_call, hang_up_call
from api.store.cursors import CursorError
from api.store.queries import CallFilter

PREFIX: Final = "/compat/oneinbox/v1"
STATUSES: Final[tuple[OneInboxStatus, ...]] = get_args(OneInboxStatus)


class OneInboxCallList(BaseModel):
    """Calls, newest first."""

    items: list[OneInboxCall]
    total: int
    limit: int
    offset: int


class OneInboxCallPage(BaseModel):
    """Calls, newest first."""

    items: list[OneInboxCall]
    next_cursor: str | None = Field(description="Give it as `cursor` to get the next page.")
    has_more: bool
    limit: int


async def oneinbox_create_call(exchange: Exchange) -> Response:
    """What the agent and `overrides` say is checked now, and merged when the call is first
    dialled, with the agent as it is then. One attempt is made.
    """
    services = exchange.services
    asked = parse_fields(OneInboxCreateCall, parse_json(exchange.body))
    order = order_of(services, asked)
    organization_id = await services.store.organization.id()
    with order.told():
        new = await read_order(
            services,
            order.body,
            None if exchange.key is None else exchange.key.id,
            at_dispatch=True,
        )
        call = await place(
            services,
            replace(new, dialect="oneinbox"),
            exchange.idempotent,
            lambda call: oneinbox_call(CallDetails(call, organization_id)),
        )
    told = oneinbox_call(CallDetails(call, organization_id))
    return JSONResponse(told, 201, {"Location": f"{PREFIX}/calls/{call.id}"})


async def oneinbox_list_calls(exchange: Exchange) -> Response:
    """Of any calls, however they were placed."""
    part: Part = read_part(exchange, ("agent_id", "status"))
    found, total = await exchange.services.store.calls.listed(
        limit=part.limit, offset=part.offset, wanted=_wanted(exchange)
    )
    details = await load_details(exchange.services, found)
    return JSONResponse({"items": [oneinbox_call(one) for one in details], **part.told(total)})


async def oneinbox_list_calls_by_cursor(exchange: Exchange) -> Response:
    """The same page by page: a cursor stays good while calls are added."""
    limit = read_limit(exchange, ("agent_id", "status", "cursor"))
    cursor = exchange.request.query_params.get("cursor")
    try:
        page = await exchange.services.store.calls.page(
            limit=limit, cursor=cursor, wanted=_wanted(exchange)
        )
    except CursorError as error:
        raise bad_cursor(error) from error
    details = await load_details(exchange.services, page.calls)
    return JSONResponse(
        {
            "items": [oneinbox_call(one) for one in details],
            "next_cursor": page.next_cursor,
            "has_more": page.next_cursor is not None,
            "limit": limit,
        }
    )


def _wanted(exchange: Exchange) -> CallFilter:
    query = exchange.request.query_params
    status = query.get("status")
    if status is not None and status not in STATUSES:
        detail = f"must be one of {', '.join(STATUSES)}"
        raise invalid([FieldError(detail, parameter="status")])
    names = CALL_STATUS["oneinbox"]
    ours = frozenset(one for one in OUR_STATUSES if names[one] == status)
    return CallFilter(agent_id=query.get("agent_id"), statuses=ours)


async def oneinbox_get_call(exchange: Exchange) -> Response:
    """Of any call, however it was placed. `status` is final at the hang-up; `analysis` follows."""
    return JSONResponse(oneinbox_call(await find_details(exchange)))


async def oneinbox_stop_call(exchange: Exchange) -> Response:
    """Wherever it is: one that is not answered is canceled. Its `end_reason` is `api_stop`."""
    try:
        await cancel_call(exchange)
    except Problem as problem:
        if problem.code != "already_answered":
            raise
        await hang_up_call(exchange)
    return JSONResponse(oneinbox_call(await find_details(exchange)))


async def oneinbox_change_call(exchange: Exchange) -> Response:
    """Its outcome, once the call is over and analysed."""
    asked = parse_fields(OneInboxChangeCall, parse_json(exchange.body))
    call = await find_call(exchange)
    outcome = None if asked.outcome is None else outcome_of(asked.outcome)
    try:
        call = await exchange.services.store.amendments.set_outcome(call.id, outcome)
    except IllegalMoveError as error:
        detail = "the call is not over and analysed yet: it gets an outcome of its own"
        raise Problem(409, "not_ended", detail) from error
    return await _told(exchange, call)


async def oneinbox_create_web_call(exchange: Exchange) -> Response:  # noqa: ARG001
    """Browsers cannot call yet: always 501."""
    detail = "calls from a browser are not offered here; POST /v1/calls dials a phone number"
    raise Problem(501, "not_offered", detail)


async def _told(exchange: Exchange, call: Call) -> Response:
    (details,) = await load_details(exchange.services, [call])
    return JSONResponse(oneinbox_call(details))


_NONE: Final = Answer("No such call.")
_NOW: Final = Answer("The call as it is now.", OneInboxCall)
_WRONG: Final = Answer("A field is wrong.")
_FILTERS: Final = (
    Parameter(
        "agent_id",
        "query",
        "Calls of one agent.",
        example="3c90c3cc-0d44-4b50-8888-8dd25736052a",
    ),
    Parameter("status", "query", "Only these.", {"type": "string", "enum": list(STATUSES)}),
)

ENDPOINTS: Final = (
    Endpoint(
        "POST",
        f"{PREFIX}/calls",
        oneinbox_create_call,
        "Place a call",
        "oneinbox",
        {
            201: Answer("The call.", OneInboxCall, headers={"Location": "Its path."}),
            400: Answer("The body is not JSON."),
            402: Answer("The budget does not allow it."),
            413: Answer("The body is too large."),
            422: _WRONG,
        },
        body=OneInboxCreateCall,
        scope="call",
        keeps_answer=True,
    ),
    Endpoint(
        "GET",
        f"{PREFIX}/calls",
        oneinbox_list_calls,
        "List calls, newest first",
        "oneinbox",
        {200: Answer("Some calls.", OneInboxCallList), 422: Answer("A parameter is wrong.")},
        parameters=(*PARAMETERS, *_FILTERS),
    ),
    Endpoint(
        "GET",
        f"{PREFIX}/calls/cursor",
        oneinbox_list_calls_by_cursor,
        "List calls by cursor, newest first",
        "oneinbox",
        {200: Answer("A page of calls.", OneInboxCallPage), 422: Answer("A parameter is wrong.")},
        parameters=(
            LIMIT,
            Parameter("cursor", "query", "`next_cursor` of the page before.", example=""),
            *_FILTERS,
        ),
    ),
    Endpoint(
        "POST",
        f"{PREFIX}/calls/web",
        oneinbox_create_web_call,
        "Call from a browser",
        "oneinbox",
        {501: Answer("It is not offered.")},
        body_required=False,
        scope="call",
    ),
    Endpoint(
        "GET",
        f"{PREFIX}/calls/{{call_id}}",
        oneinbox_get_call,
        "Read a call",
        "oneinbox",
        {200: Answer("The call.", OneInboxCall), 404: _NONE},
        parameters=(CALL_ID,),
    ),
    Endpoint(
        "PATCH",
        f"{PREFIX}/calls/{{call_id}}",
        oneinbox_change_call,
        "Say what a call came to",
        "oneinbox",
        {
            200: _NOW,
            400: Answer("The body is not JSON."),
            404: _NONE,
            409: Answer("It is not over and analysed."),
            422: _WRONG,
        },
        body=OneInboxChangeCall,
        parameters=(CALL_ID,),
        scope="call",
    ),
    Endpoint(
        "POST",
        f"{PREFIX}/calls/{{call_id}}/stop",
        oneinbox_stop_call,
        "Stop a call",
        "oneinbox",
        {200: _NOW, 404: _NONE, 409: Answer("It is over.")},
        parameters=(CALL_ID,),
        body_required=False,
        scope="call",
    ),
)
