"""Revox's assistants, which are our outbound agents: `/api/assistants`."""

from typing import Any, Final

from pydantic import BaseModel
from starlette.responses import JSONResponse, Response

from api.agents.keeping import change_agent, create_agent
from api.base.fields import parse_fields
from api.base.refusals import NotFound
from api.compat.revox.config import change_of, config_of
from api.compat.revox.fields import ChangeAssistant, CreateAssistant
from api.compat.revox.objects import RevoxAssistant, assistant_object
from api.compat.translation import Translation
from api.compat.voices import language_for
from api.http.body import parse_json
from api.http.endpoint import Answer, Endpoint, Exchange, Parameter, not_found
from api.resources.agent import Agent, ChangeAgent
from api.resources.agent_fields import NewAgent
from api.resources.masking import unsealed

AGENT_ID: Final = Parameter(
    "agent_id",
    "path",
    "Assistant id.",
    {"type": "string", "format": "uuid"},
    "3d1f6c0a-7a52-4f0e-9c86-2b7f10a4c9de",
)
_BATCH: Final = 200


class RevoxAssistantEnvelope(BaseModel):
    """An assistant."""

    assistant: RevoxAssistant


class RevoxAssistantList(BaseModel):
    """Assistants, newest first."""

    assistants: list[RevoxAssistant]


async def revox_create_assistant(exchange: Exchange) -> Response:
    """Everything that it refers to must be there. A `{{variable}}` may be left to the call."""
    asked = parse_fields(CreateAssistant, parse_json(exchange.body))
    made = config_of(asked)
    made.put("name", asked.name, ("name",))
    _choose_language(exchange, made)
    with made.told():
        new = parse_fields(NewAgent, made.body)
        agent = await create_agent(exchange.services, new)
    headers = {"Location": f"/api/assistants/{agent.id}"}
    return JSONResponse(await _envelope(exchange, agent), 201, headers)


async def revox_list_assistants(exchange: Exchange) -> Response:
    """All of them."""
    agents = exchange.services.store.agents
    found: list[Agent] = []
    page = await agents.page(limit=_BATCH)
    found += page.items
    while page.next_cursor is not None:
        page = await agents.page(limit=_BATCH, cursor=page.next_cursor)
        found += page.items
    shown = [await _object(exchange, agent) for agent in found if agent.type == "outbound"]
    return JSONResponse({"assistants": shown})


async def revox_get_assistant(exchange: Exchange) -> Response:
    """Keys of models and sensitive headers are masked."""
    return JSONResponse(await _envelope(exchange, await _find(exchange)))


async def revox_change_assistant(exchange: Exchange) -> Response:
    """What is left out stays, null takes it back to its default; `faq_items` and `custom_tools`
    replace what there was. Calls that are placed already keep what they were placed with.
    """
    services = exchange.services
    before = await _find(exchange)
    asked = parse_fields(ChangeAssistant, parse_json(exchange.body))
    made = change_of(asked, unsealed(before.config, services.seal))
    if asked.name is not None:
        made.put("name", asked.name, ("name",))
    _choose_language(exchange, made)
    with made.told():
        change = parse_fields(ChangeAgent, made.body)
        agent = await change_agent(services, before.id, change)
    return JSONResponse(await _envelope(exchange, agent))


def _choose_language(exchange: Exchange, made: Translation) -> None:
    """By the voice, where one is given or taken back."""
    if "voice" in made.body:
        services = exchange.services
        language = language_for(services.engines, services.settings, made.body)
        made.put("language", language, ("voice",))


async def _find(exchange: Exchange) -> Agent:
    """The outbound agent that the path names; 404 without one."""
    try:
        agent = await exchange.services.store.agents.get(exchange.request.path_params["agent_id"])
    except NotFound as error:
        raise not_found("assistant") from error
    if agent.type != "outbound":
        raise not_found("assistant")
    return agent


async def _envelope(exchange: Exchange, agent: Agent) -> dict[str, Any]:
    return {"assistant": await _object(exchange, agent)}


async def _object(exchange: Exchange, agent: Agent) -> dict[str, Any]:
    return assistant_object(
        agent.config,
        agent.id,
        name=agent.name,
        created_at=agent.created_at,
        updated_at=agent.updated_at,
        organization_id=await exchange.services.store.organization.id(),
    )


_NONE: Final = Answer("No such assistant.")

ENDPOINTS: Final = (
    Endpoint(
        "POST",
        "/api/assistants",
        revox_create_assistant,
        "Make an assistant",
        "revox",
        {
            201: Answer(
                "The assistant.", RevoxAssistantEnvelope, headers={"Location": "Its path."}
            ),
            400: Answer("The body is not JSON."),
            422: Answer("A member is wrong."),
        },
        body=CreateAssistant,
    ),
    Endpoint(
        "GET",
        "/api/assistants",
        revox_list_assistants,
        "List assistants, newest first",
        "revox",
        {200: Answer("All assistants.", RevoxAssistantList)},
    ),
    Endpoint(
        "GET",
        "/api/assistants/{agent_id}",
        revox_get_assistant,
        "Read an assistant",
        "revox",
        {200: Answer("The assistant.", RevoxAssistantEnvelope), 404: _NONE},
        parameters=(AGENT_ID,),
    ),
    Endpoint(
        "PATCH",
        "/api/assistants/{agent_id}",
        revox_change_assistant,
        "Change an assistant",
        "revox",
        {
            200: Answer("The assistant, changed.", RevoxAssistantEnvelope),
            400: Answer("The body is not JSON."),
            404: _NONE,
            409: Answer("It is archived, or has changed meanwhile."),
            422: Answer("A member is wrong."),
        },
        body=ChangeAssistant,
        parameters=(AGENT_ID,),
    ),
)
