"""Agents: what calls are placed and answered with (X-CB-21, X-CB-22)."""

from typing import Final, cast, get_args

from starlette.responses import JSONResponse, Response

from api.agents.keeping import change_agent as change
from api.agents.keeping import create_agent as create
from api.agents.keeping import problems
from api.base.fields import parse_fields
from api.http.body import parse_json
from api.http.endpoint import Answer, Endpoint, Exchange, Parameter, not_found
from api.http.paging import Filters, bad_cursor, page_parameters, read_page_query
from api.resources.agent import (
    AgentList,
    AgentNumber,
    AgentObject,
    AgentStatus,
    AgentVersionList,
    AgentVersionObject,
    ChangeAgent,
    agent_object,
    agent_version_object,
)
from api.resources.agent_fields import NewAgent
from api.store.agents import NumberNotAttachedError
from api.store.cursors import CursorError

PATH = "/v1/agents"
FILTERS: Final[Filters] = {"status": get_args(AgentStatus)}

AGENT_ID = Parameter("agent_id", "path", "Agent id.", {"type": "string", "format": "uuid"})
NUMBER_ID = Parameter(
    "number_id", "path", "Id of one of its numbers.", {"type": "string", "format": "uuid"}
)
VERSION = Parameter("version", "path", "1 for the first.", {"type": "integer", "minimum": 1}, 1)


async def create_agent(exchange: Exchange) -> Response:
    """Everything that it refers to must be there: numbers, secrets, engines. A `{{variable}}` may
    be left to the calls, unless the agent answers them.
    """
    asked = parse_fields(NewAgent, parse_json(exchange.body))
    agent = await create(exchange.services, asked)
    return JSONResponse(agent_object(agent), 201, {"Location": f"{PATH}/{agent.id}"})


async def list_agents(exchange: Exchange) -> Response:
    """Active ones, unless `status` says otherwise."""
    query = read_page_query(exchange, FILTERS)
    try:
        page = await exchange.services.store.agents.page(
            limit=query.limit,
            cursor=query.cursor,
            status=cast("AgentStatus", query.filters.get("status", "active")),
        )
    except CursorError as error:
        raise bad_cursor(error) from error
    return JSONResponse(
        {
            "data": [agent_object(agent) for agent in page.items],
            "has_more": page.next_cursor is not None,
            "next_cursor": page.next_cursor,
        }
    )


async def get_agent(exchange: Exchange) -> Response:
    """Archived ones too."""
    with problems():
        return JSONResponse(agent_object(await exchange.services.store.agents.get(_id(exchange))))


async def change_agent(exchange: Exchange) -> Response:
    """Calls that were placed before keep the configuration that they were placed with."""
    asked = parse_fields(ChangeAgent, parse_json(exchange.body))
    return JSONResponse(agent_object(await change(exchange.services, _id(exchange), asked)))


async def archive_agent(exchange: Exchange) -> Response:
    """It stays readable, and makes and answers no more calls; its numbers are free again. Calls
    that were placed with it are made.
    """
    with problems():
        await exchange.services.store.agents.archive(_id(exchange))
    return Response(status_code=204)


async def list_agent_versions(exchange: Exchange) -> Response:
    """A call's `agent_version` is one of these, unless it brought more of its own."""
    query = read_page_query(exchange, {})
    try:
        with problems():
            page = await exchange.services.store.agents.versions(
                _id(exchange), limit=query.limit, cursor=query.cursor
            )
    except CursorError as error:
        raise bad_cursor(error) from error
    return JSONResponse(
        {
            "data": [agent_version_object(version) for version in page.items],
            "has_more": page.next_cursor is not None,
            "next_cursor": page.next_cursor,
        }
    )


async def get_agent_version(exchange: Exchange) -> Response:
    """As it was; its numbers are not part of it."""
    number = exchange.request.path_params["version"]
    if not (number.isascii() and number.isdigit() and len(number) < 10):
        raise not_found("version")
    with problems():
        version = await exchange.services.store.agents.version(_id(exchange), int(number))
    return JSONResponse(agent_version_object(version))


async def attach_agent_number(exchange: Exchange) -> Response:
    """An outbound agent that has numbers calls from no others. One inbound agent answers a number;
    any number of outbound ones may call from it.
    """
    asked = parse_fields(AgentNumber, parse_json(exchange.body))
    with problems():
        agent = await exchange.services.store.agents.attach(_id(exchange), asked.number_id)
    return JSONResponse(agent_object(agent))


async def detach_agent_number(exchange: Exchange) -> Response:
    """Without any number an outbound agent may call from all."""
    with problems():
        try:
            await exchange.services.store.agents.detach(
                _id(exchange), exchange.request.path_params["number_id"]
            )
        except NumberNotAttachedError as error:
            raise not_found("number of this agent") from error
    return Response(status_code=204)


async def set_agent_primary_number(exchange: Exchange) -> Response:
    """Its calls show it unless they name another of its numbers."""
    asked = parse_fields(AgentNumber, parse_json(exchange.body))
    with problems():
        agent = await exchange.services.store.agents.set_primary(_id(exchange), asked.number_id)
    return JSONResponse(agent_object(agent))


def _id(exchange: Exchange) -> str:
    agent_id: str = exchange.request.path_params["agent_id"]
    return agent_id


_NONE = Answer("No such agent.")
_WRONG = Answer("A field is wrong.")
_MALFORMED = Answer("The body is not JSON.")
_CONFLICT = Answer("It is archived, or another inbound agent answers the number.")
_NOW = Answer("The agent as it is now.", AgentObject)

ENDPOINTS = (
    Endpoint(
        "POST",
        PATH,
        create_agent,
        "Make an agent",
        "agents",
        {
            201: Answer("It is made.", AgentObject, headers={"Location": "Its path."}),
            400: _MALFORMED,
            409: Answer("Another inbound agent answers one of the numbers."),
            422: _WRONG,
        },
        body=NewAgent,
    ),
    Endpoint(
        "GET",
        PATH,
        list_agents,
        "List agents, newest first",
        "agents",
        {200: Answer("A page of agents.", AgentList), 422: Answer("A parameter is wrong.")},
        parameters=(
            *page_parameters("Agents"),
            Parameter(
                "status",
                "query",
                "Only these.",
                {"type": "string", "enum": list(get_args(AgentStatus)), "default": "active"},
            ),
        ),
    ),
    Endpoint(
        "GET",
        PATH + "/{agent_id}",
        get_agent,
        "Read an agent",
        "agents",
        {200: Answer("The agent.", AgentObject), 404: _NONE},
        parameters=(AGENT_ID,),
    ),
    Endpoint(
        "PATCH",
        PATH + "/{agent_id}",
        change_agent,
        "Change an agent",
        "agents",
        {200: _NOW, 400: _MALFORMED, 404: _NONE, 409: _CONFLICT, 422: _WRONG},
        body=ChangeAgent,
        parameters=(AGENT_ID,),
    ),
    Endpoint(
        "DELETE",
        PATH + "/{agent_id}",
        archive_agent,
        "Archive an agent",
        "agents",
        {204: Answer("It is archived."), 404: _NONE},
        parameters=(AGENT_ID,),
    ),
    Endpoint(
        "GET",
        PATH + "/{agent_id}/versions",
        list_agent_versions,
        "List what an agent was, the latest first",
        "agents",
        {
            200: Answer("A page of versions.", AgentVersionList),
            404: _NONE,
            422: Answer("A parameter is wrong."),
        },
        parameters=(AGENT_ID, *page_parameters("Versions")),
    ),
    Endpoint(
        "GET",
        PATH + "/{agent_id}/versions/{version}",
        get_agent_version,
        "Read what an agent was",
        "agents",
        {200: Answer("The version.", AgentVersionObject), 404: Answer("No such version.")},
        parameters=(AGENT_ID, VERSION),
    ),
    Endpoint(
        "POST",
        PATH + "/{agent_id}/numbers",
        attach_agent_number,
        "Give an agent a number",
        "agents",
        {200: _NOW, 400: _MALFORMED, 404: _NONE, 409: _CONFLICT, 422: _WRONG},
        body=AgentNumber,
        parameters=(AGENT_ID,),
    ),
    Endpoint(
        "DELETE",
        PATH + "/{agent_id}/numbers/{number_id}",
        detach_agent_number,
        "Take a number from an agent",
        "agents",
        {
            204: Answer("It is not its number any more."),
            404: Answer("No such agent, or not a number of it."),
            409: Answer("The agent is archived."),
        },
        parameters=(AGENT_ID, NUMBER_ID),
    ),
    Endpoint(
        "PUT",
        PATH + "/{agent_id}/primary-number",
        set_agent_primary_number,
        "Choose the number that an agent calls from",
        "agents",
        {200: _NOW, 400: _MALFORMED, 404: _NONE, 409: Answer("It is archived."), 422: _WRONG},
        body=AgentNumber,
        parameters=(AGENT_ID,),
    ),
)
