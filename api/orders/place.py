"""What every order goes through, whether a request or a campaign places it."""

from dataclasses import replace
from typing import Final

from api.agents.layers import Layers
from api.agents.reach import beyond_reach
from api.agents.templates import templates
from api.base.fields import parse_fields
from api.base.json_object import JsonObject
from api.base.numbers import is_extension
from api.base.problems import FieldError, Problem, invalid, pointer, problem_of
from api.base.refusals import Invalid, NotFound
from api.base.text import SECRETS
from api.base.written_numbers import read_number_or_uri
from api.deployment import Deployment
from api.orders.checks import layers_of, order_of
from api.resources.agent import Agent
from api.resources.call import CreateCall, NewCall
from api.resources.caps import KeyCaps
from api.resources.dialect import dialect_of
from api.resources.key import allows
from api.resources.masking import sealed, unsealed
from api.resources.tool_fields import TransferTool
from api.resources.web_call import CreateWebCall
from api.settings.calling import Calls
from api.store import Store

#: Stands for the contacts' numbers when a template is checked: one whose place is known.
_ANYBODY: Final = "+12125550100"
#: Fields of an agent that a web call has no use for.
_DIALLING: Final = frozenset({"from_number", "retry"})


async def read_order(
    deployment: Deployment,
    asked: CreateCall,
    api_key_id: str | None,
    *,
    open_variables: bool = False,
    at_dispatch: bool = False,
) -> NewCall:
    """The order that a request asks for, checked.

    Args:
        deployment: whose settings and languages hold.
        asked: the request.
        api_key_id: of the key that places it.
        open_variables: whether variables may be given later.
        at_dispatch: whether the agent holds as it is when the call is first dialled
            (`api.orders.freezing`), in place of as it is now.

    Raises Problem with a pointer to every wrong field.
    """
    if asked.prompt is not None and asked.instructions is not None:
        raise invalid([FieldError("give either prompt or instructions, not both", "/instructions")])
    agent = None if asked.agent_id is None else await active_agent(deployment.store, asked.agent_id)
    layers = layers_of(asked, {} if agent is None else unsealed(agent.config, deployment.seal))
    key = None if api_key_id is None else await deployment.store.keys.get(api_key_id)
    if key is not None and not allows(key.scope, "admin"):
        _check_own_word(deployment, layers)
    new = await order_of(deployment, asked, layers, open_variables=open_variables)
    try:
        route = await deployment.store.numbers.route(new.to_number, new.from_number or None, agent)
        rate = await deployment.store.rates.price(new.to_number)
    except Invalid as refused:
        problem = problem_of(refused)
        if refused.field == "from_number":
            problem = invalid([layers.rebased(one) for one in problem.errors], refused.code)
        raise problem from refused
    _check_destinations(deployment, new, route.from_number, layers)
    return replace(
        new,
        from_number=route.from_number,
        trunk=route.trunk,
        rate=rate,
        api_key_id=api_key_id,
        caps=(key or KeyCaps()).caps_over(deployment.settings.calls),
        agent_version=None if agent is None else agent.version,
        agent_layers=sealed(layers.over_agent(), deployment.seal) if at_dispatch else None,
    )


async def read_web_order(
    deployment: Deployment, asked: CreateWebCall, api_key_id: str | None
) -> NewCall:
    """The order of a web call, checked: nobody is dialled, and nothing is paid.

    Args:
        deployment: whose settings and languages hold.
        asked: the request.
        api_key_id: of the key that places it.

    Raises Problem with a pointer to every wrong field.
    """
    if asked.prompt is not None and asked.instructions is not None:
        raise invalid([FieldError("give either prompt or instructions, not both", "/instructions")])
    agent = None if asked.agent_id is None else await stored_agent(deployment.store, asked.agent_id)
    config = {} if agent is None else unsealed(agent.config, deployment.seal)
    layers = layers_of(asked, {name: config[name] for name in config.keys() - _DIALLING})
    if dialling := sorted(_DIALLING & layers.merged.keys()):
        detail = "is about dialling: a web call takes it not"
        raise invalid([FieldError(detail, layers.place(name)) for name in dialling])
    key = None if api_key_id is None else await deployment.store.keys.get(api_key_id)
    if key is not None and not allows(key.scope, "admin"):
        _check_own_word(deployment, layers)
    new = await order_of(deployment, asked, layers)
    return replace(
        new,
        direction="web",
        api_key_id=api_key_id,
        caps=(key or KeyCaps()).caps_over(deployment.settings.calls),
        agent_version=None if agent is None else agent.version,
        dialect=None if agent is None else dialect_of(agent.config),
    )


def _check_destinations(deployment: Deployment, new: NewCall, ours: str, layers: Layers) -> None:
    """Raise Problem where the call, or a transfer of it, would go where no call may go.

    What is wrong with the call's own number is told only where nothing else is.
    """
    calls = deployment.settings.calls
    refusal = calls.destinations.refusal
    wrong = {
        pointer("tools", index, "number"): refusal(_plain(tool.number, calls), ours)
        for index, tool in enumerate(layers.fields.tools or ())
        if isinstance(tool, TransferTool)
    }
    errors = [
        layers.rebased(FieldError(detail, place)) for place, detail in wrong.items() if detail
    ]
    if not errors and (detail := refusal(new.to_number, ours)) is not None:
        errors = [FieldError(detail, pointer("to"))]
    if errors:
        raise invalid(errors, "destination_not_allowed")


def _plain(number: str, calls: Calls) -> str:
    """A tool's number, which has been checked, as it is told to a trunk."""
    return number if is_extension(number) else read_number_or_uri(number, calls.default_country)


def _check_own_word(deployment: Deployment, layers: Layers) -> None:
    """Raise Problem where who may only place calls names a secret, which they could have sent to
    themselves, or what their requests may not reach; an agent may have either."""
    own = replace(layers, agent={}) if layers.agent else layers
    named = [
        template
        for template in templates(own.fields)
        if any(name.startswith(SECRETS) for name in template.names)
    ]
    if named:
        detail = "only agents, and keys with the scope admin, may name a secret"
        places = [FieldError(detail, own.place(*template.path)) for template in named]
        raise invalid(places, "insufficient_scope")
    if beyond := [own.rebased(error) for error in beyond_reach(own.fields, deployment.settings)]:
        raise invalid(beyond)


async def check_template(
    deployment: Deployment, template: JsonObject, api_key_id: str | None = None
) -> None:
    """Raise Problem, pointing into `/template`, unless it makes orders.

    What depends on the contact, such as the trunk and variables, is not looked at.

    Args:
        deployment: as of `read_order`.
        template: what the contacts' orders have in common.
        api_key_id: of the key that gives it.
    """
    for name in ("to", "to_number"):
        if name in template:
            raise invalid([FieldError("is each contact's own", pointer("template", name))])
    try:
        asked = parse_fields(CreateCall, {**template, "to": _ANYBODY})
        await read_order(deployment, asked, api_key_id, open_variables=True)
    except Problem as problem:
        if all(error.pointer == pointer("to") for error in problem.errors):
            return  # another number is not refused
        raise invalid(
            [
                FieldError(error.detail, pointer("template") + (error.pointer or ""))
                for error in problem.errors
            ],
            problem.code,
        ) from problem


async def stored_agent(store: Store, agent_id: str) -> Agent:
    """An agent that may take calls. Raises Problem that points to `/agent_id`."""
    try:
        agent = await store.agents.get(agent_id)
    except NotFound as error:
        raise _unusable("there is no such agent") from error
    if agent.status != "active":
        raise _unusable("is archived")
    return agent


async def active_agent(store: Store, agent_id: str) -> Agent:
    """The agent that is to make a call. Raises Problem that points to `/agent_id`."""
    try:
        agent = await store.agents.get(agent_id)
    except NotFound as error:
        raise _unusable("there is no such agent") from error
    if agent.type != "outbound":
        raise _unusable("is an inbound agent: it places no calls", "inbound_agent")
    if agent.status != "active":
        raise _unusable("is archived")
    return agent


def _unusable(detail: str, code: str = "unknown_agent") -> Problem:
    return invalid([FieldError(detail, pointer("agent_id"))], code)
