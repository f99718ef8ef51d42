"""OneInbox's calls: `/compat/oneinbox/v1/calls`."""

from typing import Any, Final, get_args

from pydantic import BaseModel, Field

from api.base.fields import parse_fields
from api.base.lifecycle import STATUSES as OUR_STATUSES
from api.base.problems import FieldError, invalid
from api.base.refusals import Conflict
from api.compat.call_details import CallDetails, find_details, load_details
from api.compat.mapping import CALL_STATUS
from api.compat.oneinbox.fields import OneInboxChangeCall, OneInboxCreateCall, OneInboxCreateWebCall
from api.compat.oneinbox.members import order_of
from api.compat.oneinbox.objects import OneInboxCall, OneInboxStatus, oneinbox_call, outcome_of
from api.compat.orders import place_order
from api.compat.query import read_query, whole_number
from api.http.endpoint import EndpointTable, Exchange, Parameter
from api.resources.answer import Created
from api.resources.call import Call
from api.resources.web_call import CreateWebCallToken
from api.routes.calls import CALL_ID, cancel_call, find_call, hang_up_call
from api.routes.web_calls import OFFERS, make_token
from api.store.queries import CallFilter

PREFIX: Final = "/compat/oneinbox/v1"
STATUSES: Final[tuple[OneInboxStatus, ...]] = get_args(OneInboxStatus)

LIMIT: Final = whole_number("limit", "Most items.", least=1, most=100, default=20)
OFFSET: Final = whole_number("offset", "How many to pass over.", least=0, default=0)
_CURSOR: Final = Parameter("cursor", "query", "`next_cursor` of the page before.", example="")
_FILTERS: Final = (
    Parameter(
        "agent_id",
        "query",
        "Calls of one agent.",
        example="3c90c3cc-0d44-4b50-8888-8dd25736052a",
    ),
    Parameter("status", "query", "Only these.", {"type": "string", "enum": list(STATUSES)}),
)
_LIST: Final = (LIMIT, OFFSET, *_FILTERS)
_PAGE: Final = (LIMIT, _CURSOR, *_FILTERS)

PATH: Final = f"{PREFIX}/calls"
ONE: Final = PATH + "/{call_id}"
route = EndpointTable("oneinbox", CALL_ID)


class OneInboxCallList(BaseModel):
    """Calls, newest first."""

    items: list[OneInboxCall]
    total: int
    limit: int
    offset: int


class OneInboxWebCall(BaseModel):
    """Where a page calls, and with what."""

    agent_id: str = Field(examples=["6f1c2d3e-4b5a-4c6d-8e7f-901234567890"])
    server_url: str = Field(
        examples=["https://calls.example.org/v1/web_call_offers"],
        description="The page POSTs `{token, sdp}` there, and is answered with `{call_id, sdp}`.",
    )
    participant_token: str = Field(examples=["wct_Yk3vPzqW8vJt0bqk2m0d1nB6yKQmQ3gH0uR4sT5xZ7c"])


class OneInboxCallPage(BaseModel):
    """Calls, newest first."""

    items: list[OneInboxCall]
    next_cursor: str | None = Field(description="Give it as `cursor` to get the next page.")
    has_more: bool
    limit: int


@route(
    "POST",
    PATH,
    "Place a call",
    {402: "The budget does not allow it."},
    scope="call",
    keeps_answer=True,
)
async def oneinbox_create_call(
    exchange: Exchange, asked: OneInboxCreateCall
) -> Created[OneInboxCall]:
    """Agent and `overrides` are checked now, and merged when the call is first dialled, with the
    agent as it is then. One attempt is made.
    """
    organization_id = await exchange.store.organization.id()

    def told(call: Call) -> OneInboxCall:
        return oneinbox_call(CallDetails(call, organization_id, exchange.services.engines))

    order = order_of(exchange.services, asked)
    call = await place_order(
        exchange, order, "oneinbox", lambda call: told(call).model_dump(), at_dispatch=True
    )
    return Created(told(call), f"{PATH}/{call.id}")


@route("GET", PATH, "List calls, newest first", query=_LIST)
async def oneinbox_list_calls(exchange: Exchange) -> OneInboxCallList:
    """Lists all calls, however they were placed."""
    query = read_query(exchange, _LIST)
    limit, offset = query["limit"], query["offset"]
    found, total = await exchange.store.calls.listed(
        limit=limit, offset=offset, wanted=_wanted(query)
    )
    items = [oneinbox_call(one) for one in await load_details(exchange.services, found)]
    return OneInboxCallList(items=items, total=total, limit=limit, offset=offset)


@route("GET", f"{PATH}/cursor", "List calls by cursor, newest first", query=_PAGE)
async def oneinbox_list_calls_by_cursor(exchange: Exchange) -> OneInboxCallPage:
    """Lists all calls page by page: a cursor stays good while calls are added."""
    query = read_query(exchange, _PAGE)
    page = await exchange.store.calls.page(
        limit=query["limit"], cursor=query["cursor"], wanted=_wanted(query)
    )
    return OneInboxCallPage(
        items=[oneinbox_call(one) for one in await load_details(exchange.services, page.items)],
        next_cursor=page.next_cursor,
        has_more=page.next_cursor is not None,
        limit=query["limit"],
    )


def _wanted(query: dict[str, Any]) -> CallFilter:
    names = CALL_STATUS["oneinbox"]
    ours = frozenset(one for one in OUR_STATUSES if names[one] == query["status"])
    return CallFilter(agent_id=query["agent_id"], statuses=ours)


@route(
    "POST",
    f"{PATH}/web",
    "Call from a browser",
    {501: "`web.enabled` is off."},
    scope="call",
)
async def oneinbox_create_web_call(
    exchange: Exchange, asked: OneInboxCreateWebCall
) -> OneInboxWebCall:
    """Gives a token, good once and for a minute, and where a page of `origin` sends its WebRTC
    offer with it: the call begins then. The service's own browser library speaks another protocol.
    """
    origin = asked.origin or exchange.request.headers.get("origin")
    if origin is None:
        raise invalid([FieldError("is needed: the page's, as https://example.org", "/origin")])
    given = {} if asked.variables is None else {"variables": asked.variables}
    body = {"agent_id": asked.agent_id, "origin": origin, "metadata": asked.metadata or {}, **given}
    made, token = await make_token(exchange, parse_fields(CreateWebCallToken, body))
    return OneInboxWebCall(
        agent_id=made.agent_id,
        server_url=exchange.services.url + OFFERS,
        participant_token=token,
    )


@route("GET", ONE, "Read a call")
async def oneinbox_get_call(exchange: Exchange) -> OneInboxCall:
    """Reads any call, however it was placed. `status` is final at the hang-up, `analysis` later."""
    return oneinbox_call(await find_details(exchange))


@route(
    "PATCH",
    ONE,
    "Say what a call came to",
    {409: "It is not over and analysed."},
    scope="call",
)
async def oneinbox_change_call(exchange: Exchange, asked: OneInboxChangeCall) -> OneInboxCall:
    """Sets the outcome, once the call is over and analysed."""
    call = await find_call(exchange)
    outcome = None if asked.outcome is None else outcome_of(asked.outcome)
    await exchange.store.amendments.set_outcome(call.id, outcome)
    return oneinbox_call(await find_details(exchange))


@route("POST", f"{ONE}/stop", "Stop a call", {409: "It is over."}, scope="call")
async def oneinbox_stop_call(exchange: Exchange) -> OneInboxCall:
    """Hangs up an answered call and cancels any other; the `end_reason` is `api_stop`."""
    try:
        await cancel_call(exchange)
    except Conflict as refused:
        if refused.code != "already_answered":
            raise
        await hang_up_call(exchange)
    return oneinbox_call(await find_details(exchange))


ENDPOINTS = route.endpoints
