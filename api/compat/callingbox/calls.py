"""CallingBox's calls: `/compat/callingbox/v1/calls`."""

from collections.abc import Mapping
from typing import Any, ClassVar, Final, Literal
from urllib.parse import urlencode

from pydantic import BaseModel, Field, RootModel
from starlette.responses import Response

from api.base.fields import Body
from api.base.lifecycle import STATUSES
from api.base.text import literal
from api.compat.callingbox.objects import CallingBoxCall, callingbox_call
from api.compat.orders import place_order
from api.compat.query import read_query, whole_number
from api.compat.translation import Translation
from api.http.endpoint import Answer, EndpointTable, Exchange, Parameter
from api.http.paging import PAGE_LIMIT
from api.resources.agent_fields import FREE_TEXT, MAX_PROMPT
from api.resources.answer import Created
from api.resources.turn import Speaker
from api.routes.calls import CALL_ID, find_call
from api.store.queries import CallFilter
from api.webhooks.message import encoded

PREFIX: Final = "/compat/callingbox/v1"
PATH: Final = f"{PREFIX}/calls"
ONE: Final = PATH + "/{call_id}"
#: The service knows no variables: what looks like one in these texts is words.
LITERAL: Final = frozenset({"prompt", "persona", "instructions"})
#: Calls on one answer.
MAX_CALLS: Final = 1000
#: Of a call that names no agent.
PROMPT: Final = "Hello from CallingBox."
LANGUAGE: Final = "en"
_ROLES: Final[Mapping[Speaker, Literal["agent", "user", "tool"]]] = {
    "agent": "agent",
    "person": "user",
    "keypad": "user",
    "tool": "tool",
}

route = EndpointTable("callingbox", CALL_ID)


class CallingBoxCreateCall(Body):
    """A call to place at once: with a prompt, or with an agent."""

    free_text = FREE_TEXT
    aliases: ClassVar = {"to_number": "to"}

    to: str = Field(
        description="Phone number to call, E.164. `to_number` is the same field.",
        examples=["+15551234567"],
    )
    prompt: str | None = Field(
        default=None,
        max_length=MAX_PROMPT,
        description=f"Instructions for the agent; without `agent_id`, default `{PROMPT}`.",
        examples=["Confirm dental appointment tomorrow at 2pm"],
    )
    agent_id: str | None = Field(default=None, description="A stored outbound agent.")
    instructions: str | None = Field(
        default=None,
        max_length=MAX_PROMPT,
        description="In place of the agent's. `prompt` is the same field.",
    )
    context: dict[str, Any] | None = Field(
        default=None, examples=[{"patient": "Maria Lopez", "doctor": "Dr. Chen"}]
    )
    returns: dict[str, Any] | None = Field(
        default=None, examples=[{"confirmed": "boolean", "reschedule_to": "string"}]
    )
    language: str | None = Field(
        default=None,
        description=f"Language code; without `agent_id`, default `{LANGUAGE}`.",
        examples=["en"],
    )
    from_number: str | None = Field(default=None, examples=["+15559876543"])
    webhook_url: str | None = None
    voicemail_action: Literal["hangup", "leave_message"] | None = None
    metadata: dict[str, Any] | None = None


class CallingBoxCallList(RootModel[list[CallingBoxCall]]):
    """Calls, newest first."""


class CallingBoxTurn(BaseModel):
    """What one party said at one time."""

    role: Literal["agent", "user", "tool"]
    content: str = Field(examples=["Yes, speaking."])


class CallingBoxTranscript(BaseModel):
    """What was said, in order."""

    call_id: str = Field(json_schema_extra={"format": "uuid"})
    transcript: list[CallingBoxTurn]


@route(
    "POST",
    PATH,
    "Place a call",
    {402: "The budget does not allow it."},
    scope="call",
    keeps_answer=True,
)
async def callingbox_create_call(
    exchange: Exchange, asked: CallingBoxCreateCall
) -> Created[CallingBoxCall]:
    """Dials at once, and once: an agent's retry policy does not hold here."""
    call = await place_order(
        exchange, _order_of(asked), "callingbox", lambda call: callingbox_call(call).model_dump()
    )
    return Created(callingbox_call(call), f"{PATH}/{call.id}")


def _order_of(asked: CallingBoxCreateCall) -> Translation:
    order = Translation()
    for name, value in asked.model_dump(exclude_none=True).items():
        order.put(name, literal(value) if name in LITERAL else value, (name,))
    if asked.agent_id is None:
        order.body.setdefault("language", LANGUAGE)
        order.comes_from(("language",), ("language",))
        if asked.instructions is None:
            order.body.setdefault("prompt", PROMPT)
    order.body["retry"] = None  # one attempt: the service has no more
    return order


_LIST: Final = (
    whole_number("limit", "Most calls.", least=1, most=MAX_CALLS, default=MAX_CALLS),
    whole_number("offset", "How many to pass over.", least=0, default=0),
    Parameter("status", "query", "Only these.", {"type": "string", "enum": list(STATUSES)}),
)


@route(
    "GET",
    PATH,
    "List calls, newest first",
    {
        200: Answer(
            "Calls, newest first.",
            CallingBoxCallList,
            headers={"Link": 'Where the list goes on, `rel="next"`; absent at its end.'},
        )
    },
    query=_LIST,
)
async def callingbox_list_calls(exchange: Exchange) -> Response:
    """Lists all calls, however they were placed: the service's list has no pages, so that a client
    of it expects them all."""
    query = read_query(exchange, _LIST)
    limit, offset, status = query["limit"], query["offset"], query["status"]
    told: dict[str, bytes] = {}
    # In parts, for live calls share the event loop. What is placed meanwhile moves others on.
    for start in range(offset, offset + limit, PAGE_LIMIT):
        most = min(PAGE_LIMIT, offset + limit - start)
        calls, total = await exchange.store.calls.listed(
            limit=most, offset=start, wanted=CallFilter(status=status)
        )
        told |= {call.id: encoded(callingbox_call(call).model_dump()) for call in calls}
        if len(calls) < most:
            break
    headers = {}
    if (end := offset + limit) < total:
        given = {"limit": limit, "offset": end} | ({} if status is None else {"status": status})
        path = f"{exchange.request.url.path}?{urlencode(given)}"
        headers["Link"] = f'<{path}>; rel="next"'
    body = b"[" + b",".join(told.values()) + b"]"
    return Response(body, headers=headers, media_type="application/json")


@route("GET", ONE, "Read a call")
async def callingbox_get_call(exchange: Exchange) -> CallingBoxCall:
    """Reads any call, however it was placed. Poll for `result`."""
    return callingbox_call(await find_call(exchange))


@route("GET", f"{ONE}/transcript", "Read what was said")
async def callingbox_get_transcript(exchange: Exchange) -> CallingBoxTranscript:
    """Keys that the person pressed are told as words of the person."""
    call = await find_call(exchange)
    turns = await exchange.store.calls.turns(call.id)
    said = [CallingBoxTurn(role=_ROLES[turn.speaker], content=turn.text) for turn in turns]
    return CallingBoxTranscript(call_id=call.id, transcript=said)


ENDPOINTS = route.endpoints
