"""CallingBox's agents and numbers."""

from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, Field
from starlette.responses import Response

from api.base.fields import Body, without_default
from api.base.json_object import JsonObject
from api.base.problems import Problem
from api.base.text import literal, unescaped
from api.compat.agents import keep_agent, update_agent
from api.compat.callingbox.calls import LITERAL, PREFIX
from api.compat.callingbox.objects import (
    CallingBoxAgent,
    CallingBoxNumber,
    callingbox_agent,
    callingbox_number,
)
from api.compat.translation import Translation
from api.http.endpoint import EndpointTable, Exchange
from api.resources.agent import Agent, AgentNumber
from api.resources.agent_fields import FREE_TEXT, MAX_PROMPT
from api.resources.answer import Created
from api.resources.tool_fields import ToolField
from api.routes.agents import AGENT_ID, NUMBER_ID, archive_agent, detach_agent_number
from api.store.pages import each_page

#: Agents on one answer; the service has no pages.
MAX_AGENTS: Final = 1000

PATH: Final = f"{PREFIX}/agents"
ONE: Final = PATH + "/{agent_id}"
NUMBERS: Final = f"{PREFIX}/numbers"
_CONFLICT: Final = {409: "It is archived, or another inbound agent answers the number."}
_NOTHING: Final[JsonObject] = {}
_NOT_SOLD: Final = {501: "Numbers are not sold here."}
route = EndpointTable("callingbox", AGENT_ID, NUMBER_ID)

_Name = Annotated[str, Field(min_length=1, max_length=200, examples=["Dental reminders"])]


class CallingBoxAgentFields(Body):
    """What an agent owns."""

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

    name: _Name
    type: Literal["outbound", "inbound"] = "outbound"


class CallingBoxChangeAgent(CallingBoxAgentFields):
    """What to change; the rest stays."""

    name: _Name = Field(default="", json_schema_extra=without_default)


class CallingBoxAgentList(BaseModel):
    """Agents, newest first."""

    data: list[CallingBoxAgent]


class CallingBoxNumberList(BaseModel):
    """Numbers, oldest first."""

    data: list[CallingBoxNumber]


@route("POST", PATH, "Make an agent", _CONFLICT)
async def callingbox_create_agent(
    exchange: Exchange, asked: CallingBoxCreateAgent
) -> Created[CallingBoxAgent]:
    """The agent places calls or answers them, by `type`, which is fixed."""
    ours = _ours(asked)
    ours.body["source"] = {"callingbox": {}}  # calls that it answers are told in the service's way
    agent = await keep_agent(exchange, ours)
    return Created(await _told(exchange, agent), f"{PATH}/{agent.id}")


@route("GET", PATH, "List agents, newest first")
async def callingbox_list_agents(exchange: Exchange) -> CallingBoxAgentList:
    """Lists agents that are not archived."""
    page = await exchange.store.agents.page(limit=MAX_AGENTS)
    return CallingBoxAgentList(data=[await _told(exchange, agent) for agent in page.items])


@route("GET", ONE, "Read an agent")
async def callingbox_get_agent(exchange: Exchange) -> CallingBoxAgent:
    """Reads archived agents too."""
    agent = await exchange.store.agents.get(exchange.named("agent_id"))
    return await _told(exchange, agent)


@route("PATCH", ONE, "Change an agent", _CONFLICT)
async def callingbox_change_agent(
    exchange: Exchange, asked: CallingBoxChangeAgent
) -> CallingBoxAgent:
    """The change holds from the next call on."""
    agent = await exchange.store.agents.get(exchange.named("agent_id"))
    return await _told(exchange, await update_agent(exchange, _ours(asked, agent.config)))


def _ours(asked: CallingBoxAgentFields, before: JsonObject = _NOTHING) -> Translation:
    """What is asked in our words; a text that is as it was told `before` stays as it is."""
    ours = Translation()
    for name, value in asked.model_dump(exclude_unset=True).items():
        if name == "voice" and value is not None:
            ours.put("voice", {"id": value}, ("voice",))
            ours.comes_from(("voice", "id"), ("voice",))
        else:
            text = _template(value, before.get(name)) if value and name in LITERAL else value
            ours.put(name, text, (name,))
    return ours


def _template(text: str, before: str | None) -> str:
    return before if before is not None and unescaped(before) == text else literal(text)


@route("DELETE", ONE, "Archive an agent", {204: "It is archived."})
async def callingbox_archive_agent(exchange: Exchange) -> None:
    """The agent makes and answers no more calls."""
    await archive_agent(exchange)


@route("POST", f"{ONE}/numbers", "Give an agent a number", _CONFLICT)
async def callingbox_attach_number(exchange: Exchange, asked: AgentNumber) -> CallingBoxAgent:
    """One inbound agent answers a number; any number of outbound ones may call from it."""
    agent = await exchange.store.agents.attach(exchange.named("agent_id"), asked.number_id)
    return await _told(exchange, agent)


@route(
    "DELETE",
    ONE + "/numbers/{number_id}",
    "Take a number from an agent",
    {204: "It is not its number any more.", **_CONFLICT},
)
async def callingbox_detach_number(exchange: Exchange) -> None:
    """Without any number an outbound agent may call from all."""
    await detach_agent_number(exchange)


@route("PUT", f"{ONE}/primary-number", "Choose the number that an agent calls from", _CONFLICT)
async def callingbox_set_primary_number(exchange: Exchange, asked: AgentNumber) -> CallingBoxAgent:
    """The agent's calls show this number unless they name another one of the agent's."""
    agent = await exchange.store.agents.set_primary(exchange.named("agent_id"), asked.number_id)
    return await _told(exchange, agent)


async def _told(exchange: Exchange, agent: Agent) -> CallingBoxAgent:
    return callingbox_agent(agent, await exchange.store.organization.id())


@route("GET", NUMBERS, "List numbers")
async def callingbox_list_numbers(exchange: Exchange) -> CallingBoxNumberList:
    """Lists the numbers of one's own trunks."""
    store = exchange.store
    inbound, outbound = await store.agents.of_numbers()
    told = [
        callingbox_number(number, inbound.get(number.id), outbound.get(number.id, []))
        async for page in each_page(lambda cursor: store.numbers.page(limit=200, cursor=cursor))
        for number in page
    ]
    return CallingBoxNumberList(data=told)


@route("GET", f"{NUMBERS}/available", "Look for numbers to buy", _NOT_SOLD)
async def callingbox_list_available_numbers(exchange: Exchange) -> Response:  # noqa: ARG001
    """Numbers are not sold here: always 501."""
    raise _not_sold()


@route("POST", f"{NUMBERS}/purchase", "Buy a number", _NOT_SOLD)
async def callingbox_purchase_number(exchange: Exchange) -> Response:  # noqa: ARG001
    """Numbers are not sold here: always 501."""
    raise _not_sold()


def _not_sold() -> Problem:
    detail = (
        "numbers are not sold here: they come from the provider of your own SIP trunk; "
        "register them with POST /v1/numbers"
    )
    return Problem(501, "not_on_premises", detail)


ENDPOINTS = route.endpoints
