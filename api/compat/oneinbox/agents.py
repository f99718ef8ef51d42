"""OneInbox's agents, which are our outbound agents: `/compat/oneinbox/v1/agents`."""

from typing import Final

from pydantic import BaseModel

from api.agents.layers import over
from api.compat.agents import find_outbound, keep_agent, outbound_agents, update_agent
from api.compat.oneinbox.calls import LIMIT, OFFSET, PREFIX
from api.compat.oneinbox.fields import OneInboxChangeAgent, OneInboxCreateAgent
from api.compat.oneinbox.members import agent_of
from api.compat.oneinbox.objects import OneInboxAgent, oneinbox_agent
from api.compat.query import read_query
from api.http.endpoint import EndpointTable, Exchange
from api.resources.answer import Created
from api.resources.masking import unsealed
from api.routes.agents import AGENT_ID

#: Fields that are changed member by member.
_GROUPS: Final = ("llm", "voice", "transcriber", "source")
_LIST: Final = (LIMIT, OFFSET)

PATH: Final = f"{PREFIX}/agents"
ONE: Final = PATH + "/{agent_id}"
route = EndpointTable("oneinbox", AGENT_ID)


class OneInboxAgentList(BaseModel):
    """Agents, newest first."""

    items: list[OneInboxAgent]
    total: int
    limit: int
    offset: int


@route("POST", PATH, "Make an agent")
async def oneinbox_create_agent(
    exchange: Exchange, asked: OneInboxCreateAgent
) -> Created[OneInboxAgent]:
    """Everything that the agent refers to must be there."""
    made = agent_of(exchange.services, asked)
    made.put("name", asked.name, ("name",))
    agent = await keep_agent(exchange, made)
    return Created(oneinbox_agent(agent), f"{PATH}/{agent.id}")


@route("GET", PATH, "List agents, newest first", query=_LIST)
async def oneinbox_list_agents(exchange: Exchange) -> OneInboxAgentList:
    """Lists outbound agents that are not archived."""
    query = read_query(exchange, _LIST)
    limit, offset = query["limit"], query["offset"]
    found = await outbound_agents(exchange.store)
    items = [oneinbox_agent(agent) for agent in found[offset : offset + limit]]
    return OneInboxAgentList(items=items, total=len(found), limit=limit, offset=offset)


@route("GET", ONE, "Read an agent")
async def oneinbox_get_agent(exchange: Exchange) -> OneInboxAgent:
    """Reads archived agents too."""
    return oneinbox_agent(await find_outbound(exchange))


@route("PATCH", ONE, "Change an agent", {409: "It is archived, or has changed meanwhile."})
async def oneinbox_change_agent(exchange: Exchange, asked: OneInboxChangeAgent) -> OneInboxAgent:
    """The change holds for every call that is not dialled yet."""
    services = exchange.services
    before = await find_outbound(exchange)
    made = agent_of(services, asked)
    kept = unsealed(before.config, services.seal)
    for group in _GROUPS:
        if made.body.get(group) is not None:
            made.body[group] = over(group, kept.get(group) or {}, made.body[group])
    if asked.name is not None:
        made.put("name", asked.name, ("name",))
    return oneinbox_agent(await update_agent(exchange, made))


@route("DELETE", ONE, "Archive an agent", {204: "It is archived."})
async def oneinbox_archive_agent(exchange: Exchange) -> None:
    """The agent makes no more calls; queued ones fail when they are to be dialled."""
    await exchange.store.agents.archive((await find_outbound(exchange)).id)


ENDPOINTS = route.endpoints
