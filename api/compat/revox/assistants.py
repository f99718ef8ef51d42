"""Revox's assistants, which are our outbound agents: `/api/assistants`."""

from typing import Any, Final

from pydantic import BaseModel
from starlette.responses import JSONResponse, Response

from api.compat.agents import find_outbound, keep_agent, outbound_agents, update_agent
from api.compat.revox.config import change_of, config_of
from api.compat.revox.fields import ChangeAssistant, CreateAssistant
from api.compat.revox.objects import RevoxAssistant, assistant_object
from api.compat.translation import Translation
from api.compat.voices import language_for
from api.http.endpoint import LOCATION, Answer, EndpointTable, Exchange, Parameter
from api.resources.agent import Agent
from api.resources.masking import unsealed

AGENT_ID: Final = Parameter(
    "agent_id",
    "path",
    "Assistant id.",
    {"type": "string", "format": "uuid"},
    "3d1f6c0a-7a52-4f0e-9c86-2b7f10a4c9de",
)
PATH: Final = "/api/assistants"
ONE: Final = PATH + "/{agent_id}"
route = EndpointTable("revox", AGENT_ID)


class RevoxAssistantEnvelope(BaseModel):
    """An assistant."""

    assistant: RevoxAssistant


class RevoxAssistantList(BaseModel):
    """Assistants, newest first."""

    assistants: list[RevoxAssistant]


_ONE: Final = Answer("The assistant.", RevoxAssistantEnvelope)


@route(
    "POST",
    PATH,
    "Make an assistant",
    {201: Answer("The assistant.", RevoxAssistantEnvelope, headers=LOCATION)},
)
async def revox_create_assistant(exchange: Exchange, asked: CreateAssistant) -> Response:
    """Everything that the assistant refers to must be there. A `{{variable}}` may be left to the
    call.
    """
    made = config_of(asked)
    made.put("name", asked.name, ("name",))
    _choose_language(exchange, made)
    agent = await keep_agent(exchange, made)
    return JSONResponse(await _envelope(exchange, agent), 201, {"Location": f"{PATH}/{agent.id}"})


@route(
    "GET",
    PATH,
    "List assistants, newest first",
    {200: Answer("All assistants.", RevoxAssistantList)},
)
async def revox_list_assistants(exchange: Exchange) -> Response:
    """Lists every assistant that is not archived."""
    found = await outbound_agents(exchange.store)
    return JSONResponse({"assistants": [await _object(exchange, agent) for agent in found]})


@route("GET", ONE, "Read an assistant", {200: _ONE})
async def revox_get_assistant(exchange: Exchange) -> Response:
    """Shows masks in place of models' keys and sensitive headers."""
    return JSONResponse(await _envelope(exchange, await find_outbound(exchange, "assistant")))


@route(
    "PATCH",
    ONE,
    "Change an assistant",
    {200: _ONE, 409: "It is archived, or has changed meanwhile."},
)
async def revox_change_assistant(exchange: Exchange, asked: ChangeAssistant) -> Response:
    """A member that is left out stays as it is, and null takes it back to its default; `faq_items`
    and `custom_tools` replace the old lists. Calls keep the assistant that they were placed with.
    """
    before = await find_outbound(exchange, "assistant")
    made = change_of(asked, unsealed(before.config, exchange.services.seal))
    if asked.name is not None:
        made.put("name", asked.name, ("name",))
    _choose_language(exchange, made)
    return JSONResponse(await _envelope(exchange, await update_agent(exchange, made)))


def _choose_language(exchange: Exchange, made: Translation) -> None:
    """Have the voice choose the language, where a voice is given or taken back."""
    if "voice" in made.body:
        services = exchange.services
        language = language_for(services.engines, services.settings, made.body)
        made.put("language", language, ("voice",))


async def _envelope(exchange: Exchange, agent: Agent) -> dict[str, Any]:
    return {"assistant": await _object(exchange, agent)}


async def _object(exchange: Exchange, agent: Agent) -> dict[str, Any]:
    services = exchange.services
    return assistant_object(
        agent.config,
        agent.id,
        services.engines,
        agent.config.get("language") or services.settings.calls.default_language,
        name=agent.name,
        created_at=agent.created_at,
        updated_at=agent.updated_at,
        organization_id=await exchange.store.organization.id(),
    )


ENDPOINTS = route.endpoints
