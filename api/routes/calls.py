"""Placing, reading and ending calls."""

from typing import Any, Final, get_args

from pydantic import BaseModel

from api.base.lifecycle import STATUSES
from api.base.problems import FieldError, invalid
from api.base.times import parse_rfc3339
from api.http.endpoint import LOCATION, Answer, EndpointTable, Exchange, Parameter
from api.http.paging import Filters, PageQuery, page_parameters, read_page_query
from api.orders.place import read_order
from api.resources.answer import Accepted, Created, Page
from api.resources.answering import Answering, ChangeCall
from api.resources.attempt import AttemptObject
from api.resources.call import Call, CallObject, CreateCall, Direction
from api.resources.turn import Transcript, TurnObject
from api.store.queries import CallFilter

PATH = "/v1/calls"
ONE = PATH + "/{call_id}"
CALL_ID = Parameter("call_id", "path", "Call id.", {"type": "string", "format": "uuid"})
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
_TIMES: Final = ("created_after", "created_before")

_SOME_ID = "6f1c2d3e-4b5a-4c6d-8e7f-901234567890"
_SOME_TIME = "2027-03-01T09:00:00Z"
_TIME = {"type": "string", "format": "date-time"}
_QUERY: Final = (
    *page_parameters("Calls"),
    Parameter("status", "query", "Only these calls.", {"type": "string", "enum": list(STATUSES)}),
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
        "A key and its text, as `customer:42`; several are all to hold. Only texts of up to 256 "
        "characters among the top-level members of `metadata` are looked at.",
        {"type": "array", "items": {"type": "string"}},
        ["customer:42"],
    ),
)
_UNDER_WAY = Answer("It is being ended; its events tell when it is over.", CallObject)

route = EndpointTable("calls", CALL_ID)


class AttemptList(BaseModel):
    """The attempts of a call, in order."""

    data: list[AttemptObject]


async def find_call(exchange: Exchange) -> Call:
    """The call that the path names. Raises NotFound."""
    return await exchange.store.calls.get(exchange.named("call_id"))


@route(
    "POST",
    PATH,
    "Place a call",
    {
        201: Answer("The call is queued.", CallObject, headers=LOCATION),
        402: "The budget does not allow it.",
        413: "The body is too large.",
    },
    scope="call",
    keeps_answer=True,
)
async def create_call(exchange: Exchange, asked: CreateCall) -> Created[CallObject]:
    """The call is on disk before the answer: it is neither lost nor dialled twice. Follow it by
    `webhook_url`, by its events, or by reading it.
    """
    new = await read_order(exchange.services, asked, exchange.key_id)
    call = await exchange.store.calls.create(new, exchange.idempotent)
    return Created(call.shown, f"{PATH}/{call.id}")


@route("GET", PATH, "List calls, newest first", query=_QUERY)
async def list_calls(exchange: Exchange) -> Page[CallObject]:
    """Filters may be combined. `next_cursor` stays good while calls are added."""
    query = read_page_query(exchange, FILTERS)
    page = await exchange.store.calls.page(
        limit=query.limit, cursor=query.cursor, wanted=_wanted(exchange, query)
    )
    return Page[CallObject].of(page)


def _wanted(exchange: Exchange, query: PageQuery) -> CallFilter:
    wanted: dict[str, Any] = dict(query.filters)
    for name in _TIMES:
        if name in wanted:
            wanted[name] = _time(wanted[name], name)
    labels = exchange.request.query_params.getlist("metadata")
    return CallFilter(**wanted | {"metadata": dict(map(_label, labels))})


def _label(text: str) -> tuple[str, str]:
    key, colon, value = text.partition(":")
    if not key or not colon:
        detail = "must be a key and its text, as customer:42"
        raise invalid([FieldError(detail, parameter="metadata")])
    return key, value


def _time(text: str, name: str) -> float:
    if (at := parse_rfc3339(text)) is not None:
        return at
    detail = "must be a time in RFC 3339 with its offset, as 2027-03-01T09:00:00Z"
    raise invalid([FieldError(detail, parameter=name)])


@route("GET", ONE + "/attempts", "Read the attempts of a call")
async def list_attempts(exchange: Exchange) -> AttemptList:
    """Each time that the PBX dialled, with the network's own facts. A call without `retry` has at
    most one.
    """
    call = await find_call(exchange)
    tried = await exchange.store.calls.attempts(call.id)
    return AttemptList(data=list(map(AttemptObject.of, tried)))


@route("GET", ONE, "Read a call")
async def get_call(exchange: Exchange) -> CallObject:
    """Made for polling: send the `ETag` back in `If-None-Match`. `status` is final at the hang-up;
    `result` follows when `result_status` is no longer `pending`.
    """
    return (await find_call(exchange)).shown


@route(
    "PATCH", ONE, "Correct who answered", {409: "It is not over, or nobody answered."}, scope="call"
)
async def change_call(exchange: Exchange, asked: ChangeCall) -> CallObject:
    """Sets `answered_by`, where what was found is wrong; `/v1/answering` counts that. The call is
    neither billed nor tried again for it.
    """
    call_id = exchange.named("call_id")
    call = await exchange.store.amendments.correct_answered_by(call_id, asked.answered_by)
    return call.shown


@route("GET", "/v1/answering", "Count who answered")
async def get_answering(exchange: Exchange) -> Answering:
    """Over all attempts that are kept: what was found, and what that was corrected to."""
    return await exchange.store.amendments.answering()


@route("GET", ONE + "/transcript", "Read what was said")
async def get_transcript(exchange: Exchange) -> Transcript:
    """Turns are added while the call is live. Of what the agent said, only the words that were
    heard.
    """
    call = await find_call(exchange)
    turns = await exchange.store.calls.turns(call.id)
    said = list(map(TurnObject.of, turns))
    return Transcript(call_id=call.id, status=call.status, turns=said)


@route(
    "POST",
    ONE + "/cancel",
    "Cancel a call that is not answered",
    {
        200: Answer("It was queued and is canceled.", CallObject),
        202: _UNDER_WAY,
        409: "It is answered or over.",
    },
    scope="call",
)
async def cancel_call(exchange: Exchange) -> CallObject | Accepted[CallObject]:
    """Works until the answer: 200 for a queued call, which is over at once; 202 where the PBX is
    dialling already.
    """
    call_id = exchange.named("call_id")
    outcome = await exchange.store.calls.request_cancel(call_id)
    call = (await find_call(exchange)).shown
    return call if outcome == "canceled" else Accepted(call)


@route(
    "POST",
    ONE + "/hangup",
    "Hang up an answered call",
    {202: _UNDER_WAY, 409: "It is not answered, or over."},
    scope="call",
)
async def hang_up_call(exchange: Exchange) -> Accepted[CallObject]:
    """Works from the answer on. The final event tells when the call is over."""
    call_id = exchange.named("call_id")
    await exchange.store.calls.request_hang_up(call_id)
    return Accepted((await find_call(exchange)).shown)


ENDPOINTS = route.endpoints
