"""CallingBox's agents and numbers (X-CB-21…23)."""

from typing import Any, Final, Literal

from pydantic import BaseModel, Field
from starlette.responses import JSONResponse, Response

from api.agents.keeping import change_agent, create_agent
from api.base.fields import Body, parse_fields, without_default
from api.base.problems import Problem
from api.compat.callingbox.calls import PREFIX
from api.compat.callingbox.objects import (
    CallingBoxAgent,
    CallingBoxNumber,
    callingbox_agent,
    callingbox_number,
)
from api.compat.translation import Translation
from api.http.body import parse_json
from api.http.endpoint import Answer, Endpoint, Exchange
from api.resources.agent import Agent, AgentNumber, ChangeAgent
from api.resources.agent_fields import FREE_TEXT, MAX_PROMPT, NewAgent
from api.resources.tool_fields import ToolField
from api.routes.agents import AGENT_ID, NUMBER_ID, archive_agent, detach_agent_number
from api.store.pages import each_page

#: Agents on one answer; the service has no pages.
MAX_AGENTS: Final = 1000


class CallingBoxAgentFields(Body):
    """What an agent owns (CB-30…39)."""

    free_text = FREE_TEXT

    persona: str | None = Field(default=None, max_length=MAX_PROMPT)
    instructions: str | None = Field(
        default=None, max_length=MAX_PROMPT, examples=["Confirm the appointment tomorrow at 2pm"]
    )
    voice: str | None = Field(default=None, max_length=128, description="Id of a voice.")
    language: str | None = Field(default=None, max_length=35, examples=["en"])
    returns: dict[str, Any] | None = Field(default=None, examples=[{"confirmed": "boolean"}])
    tools: list[ToolField] | None = Field(default=None, description="As our own agents have them.")
    webhook_url: str | None = None
    voicemail_action: Literal["hangup", "leave_message"] | None = None
    number_ids: list[str] | None = None
    primary_number_id: str | None = None


class CallingBoxCreateAgent(CallingBoxAgentFields):
    """An agent to make."""

    name: str = Field(min_length=1, max_length=200, examples=["Dental reminders"])
    type: Literal["outbound", "inbound"] = "outbound"


class CallingBoxChangeAgent(CallingBoxAgentFields):
    """What to change; the rest stays."""

    name: str = Field(
        default="",
        min_length=1,
        max_length=200,
        examples=["Dental recalls"],
        json_schema_extra=without_default,
    )


class CallingBoxAgentList(BaseModel):
    """Agents, newest first."""

    data: list[CallingBoxAgent]


class CallingBoxNumberList(BaseModel):
    """Numbers, oldest first."""

    data: list[CallingBoxNumber]


async def callingbox_create_agent(exchange: Exchange) -> Response:
    """It places calls, or answers them; that is fixed."""
    body = parse_json(exchange.body)
    asked = parse_fields(CallingBoxCreateAgent, body)
    ours = _ours(asked)
    with ours.told():
        new = parse_fields(NewAgent, ours.body)
        agent = await create_agent(exchange.services, new)
    return await _told(exchange, agent, 201)


async def callingbox_change_agent(exchange: Exchange) -> Response:
    """It holds from the next call on."""
    body = parse_json(exchange.body)
    asked = parse_fields(CallingBoxChangeAgent, body)
    ours = _ours(asked)
    with ours.told():
        change = parse_fields(ChangeAgent, ours.body)
        agent = await change_agent(exchange.services, _id(exchange), change)
    return await _told(exchange, agent)


def _ours(asked: CallingBoxAgentFields) -> Translation:
    ours = Translation()
    for name, value in asked.model_dump(exclude_unset=True).items():
        if name == "voice" and value is not None:
            ours.put("voice", {"id": value}, ("voice",))
            ours.comes_from(("voice", "id"), ("voice",))
        else:
            ours.put(name, value, (name,))
    return ours


async def callingbox_list_agents(exchange: Exchange) -> Response:
    """Those that are not archived."""
    page = await exchange.services.store.agents.page(limit=MAX_AGENTS)
    organization_id = await exchange.services.store.organization.id()
    return JSONResponse({"data": [callingbox_agent(one, organization_id) for one in page.items]})


async def callingbox_get_agent(exchange: Exchange) -> Response:
    """Archived ones too."""
    agent = await exchange.store.agents.get(_id(exchange))
    return await _told(exchange, agent)


async def callingbox_archive_agent(exchange: Exchange) -> None:
    """It makes and answers no more calls."""
    await archive_agent(exchange)


async def callingbox_attach_number(exchange: Exchange) -> Response:
    """One inbound agent answers a number; any number of outbound ones may call from it."""
    asked = parse_fields(AgentNumber, parse_json(exchange.body))
    agent = await exchange.store.agents.attach(_id(exchange), asked.number_id)
    return await _told(exchange, agent)


async def callingbox_detach_number(exchange: Exchange) -> None:
    """Without any number an outbound agent may call from all."""
    await detach_agent_number(exchange)


async def callingbox_set_primary_number(exchange: Exchange) -> Response:
    """Its calls show it unless they name another of its numbers."""
    asked = parse_fields(AgentNumber, parse_json(exchange.body))
    agent = await exchange.store.agents.set_primary(_id(exchange), asked.number_id)
    return await _told(exchange, agent)


async def callingbox_list_numbers(exchange: Exchange) -> Response:
    """The numbers of one's own trunks."""
    store = exchange.services.store
    inbound, outbound = await store.agents.of_numbers()
    told = [
        callingbox_number(number, inbound.get(number.id), outbound.get(number.id, []))
        async for page in each_page(lambda cursor: store.numbers.page(limit=200, cursor=cursor))
        for number in page
    ]
    return JSONResponse({"data": told})


async def callingbox_list_available_numbers(exchange: Exchange) -> Response:  # noqa: ARG001
    """Numbers are not sold here: always 501."""
    raise _not_sold()


async def callingbox_purchase_number(exchange: Exchange) -> Response:  # noqa: ARG001
    """Numbers are not sold here: always 501."""
    raise _not_sold()


def _not_sold() -> Problem:
    detail = (
        "numbers are not sold here: they come from the provider of your own SIP trunk; "
        "register them with POST /v1/numbers"
    )
    return Problem(501, "not_on_premises", detail)


def _id(exchange: Exchange) -> str:
    agent_id: str = exchange.request.path_params["agent_id"]
    return agent_id


async def _told(exchange: Exchange, agent: Agent, status: int = 200) -> Response:
    organization_id = await exchange.services.store.organization.id()
    return JSONResponse(callingbox_agent(agent, organization_id), status)


_PATH: Final = f"{PREFIX}/agents"
_NONE = Answer("No such agent.")
_WRONG = Answer("A field is wrong, or the body is not JSON.")
_CONFLICT = Answer("It is archived, or another inbound agent answers the number.")
_NOW = Answer("The agent as it is now.", CallingBoxAgent)
_NOT_SOLD = {501: Answer("Numbers are not sold here.")}

ENDPOINTS: Final = (
    Endpoint(
        "POST",
        _PATH,
        callingbox_create_agent,
        "Make an agent",
        "callingbox",
        {201: Answer("It is made.", CallingBoxAgent), 400: _WRONG, 409: _CONFLICT},
        body=CallingBoxCreateAgent,
    ),
    Endpoint(
        "GET",
        _PATH,
        callingbox_list_agents,
        "List agents, newest first",
        "callingbox",
        {200: Answer("The agents.", CallingBoxAgentList)},
    ),
    Endpoint(
        "GET",
        _PATH + "/{agent_id}",
        callingbox_get_agent,
        "Read an agent",
        "callingbox",
        {200: _NOW, 404: _NONE},
        parameters=(AGENT_ID,),
    ),
    Endpoint(
        "PATCH",
        _PATH + "/{agent_id}",
        callingbox_change_agent,
        "Change an agent",
        "callingbox",
        {200: _NOW, 400: _WRONG, 404: _NONE, 409: _CONFLICT},
        body=CallingBoxChangeAgent,
        parameters=(AGENT_ID,),
    ),
    Endpoint(
        "DELETE",
        _PATH + "/{agent_id}",
        callingbox_archive_agent,
        "Archive an agent",
        "callingbox",
        {204: Answer("It is archived."), 404: _NONE},
        parameters=(AGENT_ID,),
    ),
    Endpoint(
        "POST",
        _PATH + "/{agent_id}/numbers",
        callingbox_attach_number,
        "Give an agent a number",
        "callingbox",
        {200: _NOW, 400: _WRONG, 404: _NONE, 409: _CONFLICT},
        body=AgentNumber,
        parameters=(AGENT_ID,),
    ),
    Endpoint(
        "DELETE",
        _PATH + "/{agent_id}/numbers/{number_id}",
        callingbox_detach_number,
        "Take a number from an agent",
        "callingbox",
        {204: Answer("It is not its number any more."), 404: _NONE, 409: _CONFLICT},
        parameters=(AGENT_ID, NUMBER_ID),
    ),
    Endpoint(
        "PUT",
        _PATH + "/{agent_id}/primary-number",
        callingbox_set_primary_number,
        "Choose the number that an agent calls from",
        "callingbox",
        {200: _NOW, 400: _WRONG, 404: _NONE, 409: _CONFLICT},
        body=AgentNumber,
        parameters=(AGENT_ID,),
    ),
    Endpoint(
        "GET",
        f"{PREFIX}/numbers",
        callingbox_list_numbers,
        "List numbers",
        "callingbox",
        {200: Answer("The numbers.", CallingBoxNumberList)},
    ),
    Endpoint(
        "GET",
        f"{PREFIX}/numbers/available",
        callingbox_list_available_numbers,
        "Look for numbers to buy",
        "callingbox",
        _NOT_SOLD,
    ),
    Endpoint(
        "POST",
        f"{PREFIX}/numbers/purchase",
        callingbox_purchase_number,
        "Buy a number",
        "callingbox",
        _NOT_SOLD,
        body_required=False,
    ),
)
