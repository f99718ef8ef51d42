"""Outbound agents: what the services call agents, or assistants."""

from api.base.refusals import NotFound
from api.compat.call_details import frozen_agent
from api.http.endpoint import Exchange
from api.resources.agent import Agent
from api.store import Store
from api.store.pages import each_page


async def find_outbound(exchange: Exchange, what: str = "agent") -> Agent:
    """The outbound agent that the path names. Raises NotFound: there is no such `what`."""
    agent = await frozen_agent(exchange.services, exchange.named("agent_id"), None)
    if agent is None or agent.type != "outbound":
        raise NotFound(what)
    return agent


async def outbound_agents(store: Store) -> list[Agent]:
    """Every outbound agent that is not archived, newest first."""
    return [
        agent
        async for page in each_page(lambda cursor: store.agents.page(limit=200, cursor=cursor))
        for agent in page
        if agent.type == "outbound"
    ]
