"""OneInbox's agents, which are our outbound agents: `/compat/oneinbox/v1/agents` (X-OI-9)."""

from typing import Any, Final

from pydantic import BaseModel
from starlette.responses import JSONResponse, Response

from api.agents.keeping import change_agent, create_agent
from api.base.fields import parse_fields
from api.base.problems import FieldError, invalid, pointer
from api.compat.oneinbox.calls import PREFIX
from api.compat.oneinbox.fields import OneInboxChangeAgent, OneInboxCreateAgent
from api.compat.oneinbox.members import agent_of
from api.compat.oneinbox.objects import OneInboxAgent, oneinbox_agent
from api.compat.oneinbox.paging import PARAMETERS, read_part
from api.http.body import parse_json
from api.http.endpoint import Answer, Endpoint, Exchange, not_found
from api.resources.agent import Agent, ChangeAgent
from api.resources.agent_fields import NewAgent
from api.resources.masking import unsealed
from api.routes.agents import AGENT_ID, archive_agent
from api.store.pages import each_page

#: Members of the service that cannot be carried out here, and what to do instead.
ABSENT: Final = {
    "end_call_phrases": "the agent itself decides when a call is over; say when in the prompt",
    "voicemail_detection": "is not chosen for each agent here; leave it out",
}
#: Fields that are changed member by member.
_GROUPS: Final = ("llm", "voice", "transcriber", "source")


class OneInboxAgentList(BaseModel):
    """Agents, newest first."""

    items: list[OneInboxAgent]
    total: int
    limit: int
    offset: int


async def oneinbox_create_agent(exchange: Exchange) -> Response:
    """Everything that it refers to must be there."""
    asked = parse_fields(OneInboxCreateAgent, _read(exchange))
    made = agent_of(exchange.services, asked)
    made.put("name", asked.name, ("name",))
    with made.told():
        new = parse_fields(NewAgent, made.body)
        agent = await create_agent(exchange.services, new)
    headers = {"Location": f"{PREFIX}/agents/{agent.id}"}
    return JSONResponse(oneinbox_agent(agent), 201, headers)


async def oneinbox_list_agents(exchange: Exchange) -> Response:
    """Those that place calls and are not archived."""
    part = read_part(exchange)
    agents = exchange.services.store.agents
    found = [
        agent
        async for page in each_page(lambda cursor: agents.page(limit=200, cursor=cursor))
        for agent in page
        if agent.type == "outbound"
    ]
    shown = found[part.offset : part.offset + part.limit]
    items = [oneinbox_agent(agent) for agent in shown]
    return JSONResponse({"items": items, **part.told(len(found))})


async def oneinbox_get_agent(exchange: Exchange) -> Response:
    """Archived ones too."""
    return JSONResponse(oneinbox_agent(await _find(exchange)))


async def oneinbox_change_agent(exchange: Exchange) -> Response:
    """It holds for every call that is not dialled yet."""
    services = exchange.services
    before = await _find(exchange)
    asked = parse_fields(OneInboxChangeAgent, _read(exchange))
    made = agent_of(exchange.services, asked)
    kept = unsealed(before.config, services.seal)
    for group in _GROUPS:
        if made.body.get(group) is not None:
            made.body[group] = {**(kept.get(group) or {}), **made.body[group]}
    if asked.name is not None:
        made.put("name", asked.name, ("name",))
    with made.told():
        change = parse_fields(ChangeAgent, made.body)
        agent = await change_agent(services, before.id, change)
    return JSONResponse(oneinbox_agent(agent))


async def oneinbox_archive_agent(exchange: Exchange) -> None:
    """It makes no more calls; those that are queued fail when they are to be dialled."""
    await _find(exchange)
    await archive_agent(exchange)


def _read(exchange: Exchange) -> Any:
    """The body, without members that cannot be carried out here."""
    body = parse_json(exchange.body)
    if isinstance(body, dict) and (absent := [name for name in ABSENT if name in body]):
        raise invalid(
            [FieldError(ABSENT[name], pointer(name), code="not_on_premises") for name in absent]
        )
    return body


async def _find(exchange: Exchange) -> Agent:
    """The outbound agent that the path names; 404 without one."""
    agent = await exchange.store.agents.get(exchange.named("agent_id"))
    if agent.type != "outbound":
        raise not_found("agent")
    return agent


_PATH: Final = f"{PREFIX}/agents"
_NONE: Final = Answer("No such agent.")
_BAD: Final = {400: Answer("The body is not JSON."), 422: Answer("A member is wrong.")}

ENDPOINTS: Final = (
    Endpoint(
        "POST",
        _PATH,
        oneinbox_create_agent,
        "Make an agent",
        "oneinbox",
        {201: Answer("The agent.", OneInboxAgent, headers={"Location": "Its path."}), **_BAD},
        body=OneInboxCreateAgent,
    ),
    Endpoint(
        "GET",
        _PATH,
        oneinbox_list_agents,
        "List agents, newest first",
        "oneinbox",
        {200: Answer("Some agents.", OneInboxAgentList), 422: Answer("A parameter is wrong.")},
        parameters=PARAMETERS,
    ),
    Endpoint(
        "GET",
        f"{_PATH}/{{agent_id}}",
        oneinbox_get_agent,
        "Read an agent",
        "oneinbox",
        {200: Answer("The agent.", OneInboxAgent), 404: _NONE},
        parameters=(AGENT_ID,),
    ),
    Endpoint(
        "PATCH",
        f"{_PATH}/{{agent_id}}",
        oneinbox_change_agent,
        "Change an agent",
        "oneinbox",
        {
            200: Answer("The agent, changed.", OneInboxAgent),
            404: _NONE,
            409: Answer("It is archived, or has changed meanwhile."),
            **_BAD,
        },
        body=OneInboxChangeAgent,
        parameters=(AGENT_ID,),
    ),
    Endpoint(
        "DELETE",
        f"{_PATH}/{{agent_id}}",
        oneinbox_archive_agent,
        "Archive an agent",
        "oneinbox",
        {204: Answer("It is archived."), 404: _NONE},
        parameters=(AGENT_ID,),
    ),
)
