"""CallingBox's calls: `/compat/callingbox/v1/calls` (CB-1…3)."""

from dataclasses import replace
from typing import Any, ClassVar, Final, Literal, cast

from pydantic import BaseModel, Field, RootModel
from starlette.responses import JSONResponse, Response

from api.base.fields import Body, parse_fields
from api.base.lifecycle import STATUSES, CallStatus
from api.compat.callingbox.objects import CallingBoxCall, callingbox_call
from api.compat.translation import Translation
from api.http.body import parse_json
from api.http.endpoint import Answer, Endpoint, Exchange, Parameter
from api.http.paging import PAGE_DEFAULT, PAGE_LIMIT, read_page_query
from api.orders.place import place, read_order
from api.resources.agent_fields import FREE_TEXT, MAX_PROMPT
from api.routes.calls import CALL_ID, find_call
from api.store.queries import CallFilter

PREFIX: Final = "/compat/callingbox/v1"
#: X-CB-27: of a call that names no agent.
PROMPT: Final = "Hello from CallingBox."
LANGUAGE: Final = "en"


class CallingBoxCreateCall(Body):
    """A call to place at once: with a prompt (CB-9…24), or with an agent (CB-25…29)."""

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
    """Calls, newest first (X-CB-25)."""


class CallingBoxTurn(BaseModel):
    """What was said once."""

    role: Literal["agent", "user", "tool"]
    content: str = Field(examples=["Yes, speaking."])


class CallingBoxTranscript(BaseModel):
    """What was said, in order (X-CB-24)."""

    call_id: str = Field(json_schema_extra={"format": "uuid"})
    transcript: list[CallingBoxTurn]


async def callingbox_create_call(exchange: Exchange) -> Response:
    """Dialled at once, and once: what an agent says of retries does not hold here."""
    asked = parse_fields(
        CallingBoxCreateCall,
        parse_json(exchange.body),
    )
    order = _order_of(asked)
    services = exchange.services
    with order.told():
        new = await read_order(
            services, order.body, None if exchange.key is None else exchange.key.id
        )
        call = await place(
            services, replace(new, dialect="callingbox"), exchange.idempotent, callingbox_call
        )
    location = f"{PREFIX}/calls/{call.id}"
    return JSONResponse(callingbox_call(call), 201, {"Location": location})


def _order_of(asked: CallingBoxCreateCall) -> Translation:
    order = Translation()
    for name, value in asked.model_dump(exclude_none=True).items():
        order.put(name, value, (name,))
    if asked.agent_id is None:
        order.body.setdefault("language", LANGUAGE)
        if asked.instructions is None:
            order.body.setdefault("prompt", PROMPT)
    order.body["retry"] = None  # CB-6
    return order


async def callingbox_list_calls(exchange: Exchange) -> Response:
    """Of any calls, however they were placed."""
    query = read_page_query(exchange, {"status": STATUSES})
    status = cast("CallStatus | None", query.filters.get("status"))
    page = await exchange.services.store.calls.page(
        limit=query.limit, wanted=CallFilter(status=status)
    )
    return JSONResponse([callingbox_call(call) for call in page.calls])


async def callingbox_get_call(exchange: Exchange) -> Response:
    """Of any call, however it was placed. Poll it for `result`."""
    return JSONResponse(callingbox_call(await find_call(exchange)))


async def callingbox_get_transcript(exchange: Exchange) -> Response:
    """Keys that the person pressed are theirs too."""
    call = await find_call(exchange)
    turns = await exchange.services.store.calls.turns(call.id)
    roles = {"agent": "agent", "tool": "tool"}
    said = [{"role": roles.get(turn.speaker, "user"), "content": turn.text} for turn in turns]
    return JSONResponse({"call_id": call.id, "transcript": said})


_NONE = Answer("No such call.")

ENDPOINTS: Final = (
    Endpoint(
        "POST",
        f"{PREFIX}/calls",
        callingbox_create_call,
        "Place a call",
        "callingbox",
        {
            201: Answer("The call is queued.", CallingBoxCall, headers={"Location": "Its path."}),
            400: Answer("A field is wrong, or the body is not JSON."),
            402: Answer("The budget does not allow it."),
            413: Answer("The body is too large."),
        },
        body=CallingBoxCreateCall,
        scope="call",
        keeps_answer=True,
    ),
    Endpoint(
        "GET",
        f"{PREFIX}/calls",
        callingbox_list_calls,
        "List calls, newest first",
        "callingbox",
        {200: Answer("The calls.", CallingBoxCallList), 400: Answer("A parameter is wrong.")},
        parameters=(
            Parameter(
                "limit",
                "query",
                "Most calls.",
                {"type": "integer", "minimum": 1, "maximum": PAGE_LIMIT, "default": PAGE_DEFAULT},
            ),
            Parameter("status", "query", "Only these.", {"type": "string", "enum": list(STATUSES)}),
        ),
    ),
    Endpoint(
        "GET",
        f"{PREFIX}/calls/{{call_id}}",
        callingbox_get_call,
        "Read a call",
        "callingbox",
        {200: Answer("The call.", CallingBoxCall), 404: _NONE},
        parameters=(CALL_ID,),
    ),
    Endpoint(
        "GET",
        f"{PREFIX}/calls/{{call_id}}/transcript",
        callingbox_get_transcript,
        "Read what was said",
        "callingbox",
        {200: Answer("What was said so far.", CallingBoxTranscript), 404: _NONE},
        parameters=(CALL_ID,),
    ),
)
