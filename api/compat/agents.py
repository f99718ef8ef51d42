"""Agents that the dialects' clients keep."""

from api.agents.keeping import change_agent, create_agent
from api.base.fields import parse_fields
from api.base.refusals import NotFound
from api.compat.call_details import frozen_agent
from api.compat.translation import Translation
from api.http.dialect_style import DialectStyle
from api.http.endpoint import Exchange
from api.resources.agent import Agent, ChangeAgent
from api.resources.agent_fields import NewAgent
from api.resources.dialect import Dialect
from api.store import Store
from api.store.pages import each_page


async def keep_agent(exchange: Exchange, made: Translation) -> Agent:
    """Keep a new agent. Raises Problem, which points into the request."""
    with made.told(_dialect(exchange)):
        return await create_agent(exchange.services, parse_fields(NewAgent, made.body))


async def update_agent(exchange: Exchange, made: Translation) -> Agent:
    """Change the agent that the path names. Raises Problem, which points into the request."""
    with made.told(_dialect(exchange)):
        change = parse_fields(ChangeAgent, made.body)
        return await change_agent(exchange.services, exchange.named("agent_id"), change)


def _dialect(exchange: Exchange) -> Dialect:
    style: DialectStyle = exchange.request.state.dialect
    return style.name


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
