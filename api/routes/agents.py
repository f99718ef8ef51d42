"""Agents: what calls are placed and answered with."""

from typing import Final, cast, get_args

from api.agents import keeping
from api.base.refusals import NotFound
from api.http.endpoint import EndpointTable, Exchange, Parameter
from api.http.paging import Filters, page_parameters, read_page_query
from api.resources.agent import (
    AgentNumber,
    AgentObject,
    AgentStatus,
    AgentVersionObject,
    ChangeAgent,
)
from api.resources.agent_fields import NewAgent
from api.resources.answer import Created, Page

PATH = "/v1/agents"
ONE = PATH + "/{agent_id}"
FILTERS: Final[Filters] = {"status": get_args(AgentStatus)}

AGENT_ID = Parameter("agent_id", "path", "Agent id.", {"type": "string", "format": "uuid"})
NUMBER_ID = Parameter(
    "number_id", "path", "Id of one of its numbers.", {"type": "string", "format": "uuid"}
)
VERSION = Parameter("version", "path", "1 for the first.", {"type": "integer", "minimum": 1}, 1)
STATUS = Parameter(
    "status",
    "query",
    "Only these.",
    {"type": "string", "enum": list(get_args(AgentStatus)), "default": "active"},
)
_CONFLICT: Final = "It is archived, or another inbound agent answers the number."

route = EndpointTable("agents", AGENT_ID, NUMBER_ID, VERSION)


@route("POST", PATH, "Make an agent", {409: "Another inbound agent answers one of the numbers."})
async def create_agent(exchange: Exchange, asked: NewAgent) -> Created[AgentObject]:
    """Everything that it refers to must be there: numbers, secrets, engines. A `{{variable}}` may
    be left to the calls, unless the agent answers them.
    """
    agent = await keeping.create_agent(exchange.services, asked)
    return Created(AgentObject.of(agent), f"{PATH}/{agent.id}")


@route("GET", PATH, "List agents, newest first", query=(*page_parameters("Agents"), STATUS))
async def list_agents(exchange: Exchange) -> Page[AgentObject]:
    """Active ones, unless `status` says otherwise."""
    query = read_page_query(exchange, FILTERS)
    status = cast("AgentStatus", query.filters.get("status", "active"))
    page = await exchange.store.agents.page(limit=query.limit, cursor=query.cursor, status=status)
    return Page[AgentObject].of(page)


@route("GET", ONE, "Read an agent")
async def get_agent(exchange: Exchange) -> AgentObject:
    """Archived ones too."""
    return AgentObject.of(await exchange.store.agents.get(exchange.named("agent_id")))


@route("PATCH", ONE, "Change an agent", {409: _CONFLICT})
async def change_agent(exchange: Exchange, asked: ChangeAgent) -> AgentObject:
    """Calls that were placed before keep the configuration that they were placed with."""
    agent_id = exchange.named("agent_id")
    return AgentObject.of(await keeping.change_agent(exchange.services, agent_id, asked))


@route("DELETE", ONE, "Archive an agent")
async def archive_agent(exchange: Exchange) -> None:
    """It stays readable, and makes and answers no more calls; its numbers are free again. Calls
    that were placed with it are made.
    """
    await exchange.store.agents.archive(exchange.named("agent_id"))


@route(
    "GET",
    ONE + "/versions",
    "List what an agent was, the latest first",
    query=page_parameters("Versions"),
)
async def list_agent_versions(exchange: Exchange) -> Page[AgentVersionObject]:
    """A call's `agent_version` is one of these, unless it brought more of its own."""
    query = read_page_query(exchange)
    page = await exchange.store.agents.versions(
        exchange.named("agent_id"), limit=query.limit, cursor=query.cursor
    )
    return Page[AgentVersionObject].of(page)


@route("GET", ONE + "/versions/{version}", "Read what an agent was")
async def get_agent_version(exchange: Exchange) -> AgentVersionObject:
    """As it was; its numbers are not part of it."""
    number = exchange.named("version")
    if not (number.isascii() and number.isdigit() and len(number) < 10):
        raise NotFound("version")
    version = await exchange.store.agents.version(exchange.named("agent_id"), int(number))
    return AgentVersionObject.of(version)


@route("POST", ONE + "/numbers", "Give an agent a number", {409: _CONFLICT})
async def attach_agent_number(exchange: Exchange, asked: AgentNumber) -> AgentObject:
    """An outbound agent that has numbers calls from no others. One inbound agent answers a number;
    any number of outbound ones may call from it.
    """
    agents = exchange.store.agents
    return AgentObject.of(await agents.attach(exchange.named("agent_id"), asked.number_id))


@route(
    "DELETE",
    ONE + "/numbers/{number_id}",
    "Take a number from an agent",
    {409: "The agent is archived."},
)
async def detach_agent_number(exchange: Exchange) -> None:
    """Without any number an outbound agent may call from all."""
    await exchange.store.agents.detach(exchange.named("agent_id"), exchange.named("number_id"))


@route(
    "PUT",
    ONE + "/primary-number",
    "Choose the number that an agent calls from",
    {409: "It is archived."},
)
async def set_agent_primary_number(exchange: Exchange, asked: AgentNumber) -> AgentObject:
    """Its calls show it unless they name another of its numbers."""
    agents = exchange.store.agents
    return AgentObject.of(await agents.set_primary(exchange.named("agent_id"), asked.number_id))


ENDPOINTS = route.endpoints
