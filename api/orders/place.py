"""What every order goes through, whether a request or a campaign places it."""

import math
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from api.agents.layers import Layers
from api.agents.reach import beyond_reach
from api.agents.templates import templates
from api.base.json_object import JsonObject
from api.base.problems import FieldError, Problem, invalid, pointer
from api.base.refusals import NotFound
from api.base.text import SECRETS
from api.base.times import rfc3339
from api.deployment import Deployment
from api.orders.checks import layers_of, order_of
from api.resources.agent import Agent
from api.resources.call import Call, NewCall, call_object, read_call
from api.resources.caps import CapReachedError, KeyCaps
from api.resources.idempotency import Idempotency
from api.resources.key import allows
from api.resources.masking import sealed, unsealed
from api.resources.tool_fields import TransferTool
from api.store import Store
from api.store.budget import BudgetExceededError
from api.store.numbers import NoActiveNumberError, NoTrunkError, NumberNotAllowedError
from api.store.orders import DoNotCallError
from api.store.rates import NoRateError

#: Stands for the contacts' numbers when a template is checked: one whose place is known.
_ANYBODY: Final = "+12125550100"


async def read_order(
    deployment: Deployment,
    body: Any,
    api_key_id: str | None,
    *,
    open_variables: bool = False,
    at_dispatch: bool = False,
) -> NewCall:
    """The order that the body of `POST /v1/calls` asks for.

    Args:
        deployment: whose settings and languages hold.
        body: what `json.loads` made of it.
        api_key_id: of the key that places it.
        open_variables: whether variables may be given later.
        at_dispatch: whether the agent holds as it is when the call is first dialled
            (`api.orders.freezing`), in place of as it is now.

    Raises Problem with a pointer to every wrong field.
    """
    asked = read_call(body)
    agent = None if asked.agent_id is None else await active_agent(deployment.store, asked.agent_id)
    layers = layers_of(asked, {} if agent is None else unsealed(agent.config, deployment.seal))
    key = None if api_key_id is None else await deployment.store.keys.get(api_key_id)
    if key is not None and not allows(key.scope, "admin"):
        _check_own_word(deployment, layers)
    number_field = number_field_of(body)
    new = await order_of(deployment, asked, layers, number_field, open_variables=open_variables)
    try:
        route = await deployment.store.numbers.route(new.to_number, new.from_number or None, agent)
        rate = await deployment.store.rates.price(new.to_number)
    except NoActiveNumberError as error:
        if agent is not None and agent.number_ids:
            detail = "none of the agent's numbers is active"
            raise _refused("agent_id", detail, "no_active_number") from error
        detail = "this deployment has no active caller number; add one to /v1/numbers"
        raise _refused("from_number", detail, "no_active_number") from error
    except NumberNotAllowedError as error:
        detail = "is not one of the agent's active numbers"
        raise invalid(
            [layers.rebased(FieldError(detail, pointer("from_number")))], "from_number_not_allowed"
        ) from error
    except NoTrunkError as error:
        detail = "no active trunk takes this number (/v1/trunks)"
        raise _refused(number_field, detail, "no_trunk") from error
    except NoRateError as error:
        detail = "there is a budget, and no rate for this number (/v1/rates)"
        raise _refused(number_field, detail, "no_rate") from error
    _check_destinations(deployment, new, route.from_number, layers, number_field)
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


async def place(
    deployment: Deployment,
    new: NewCall,
    idempotent: Idempotency | None = None,
    answer: Callable[[Call], JsonObject] = call_object,
    number_field: str = "to",
) -> Call:
    """Put an order on disk. With `idempotent`, its 201 answer is kept with it.

    Raises Problem, which calls the number `number_field`.
    """
    try:
        return await deployment.store.calls.create(new, idempotent, answer)
    except DoNotCallError as error:
        raise _refused(number_field, str(error), "do_not_call") from error
    except CapReachedError as error:
        raise cap_reached(error) from error
    except BudgetExceededError as error:
        detail = f"the budget is used up: {error}"
        raise Problem(402, "budget_exceeded", detail) from error


def _check_destinations(
    deployment: Deployment, new: NewCall, ours: str, layers: Layers, number_field: str
) -> None:
    """Raise Problem where the call, or a transfer of it, would go where no call may go.

    What is wrong with the call's own number is told only where nothing else is.
    """
    refusal = deployment.settings.calls.destinations.refusal
    wrong = {
        pointer("tools", index, "number"): refusal(tool.number, ours)
        for index, tool in enumerate(layers.fields.tools or ())
        if isinstance(tool, TransferTool)
    }
    errors = [
        layers.rebased(FieldError(detail, place)) for place, detail in wrong.items() if detail
    ]
    if not errors and (detail := refusal(new.to_number, ours)) is not None:
        errors = [FieldError(detail, pointer(number_field))]
    if errors:
        raise invalid(errors, "destination_not_allowed")


def cap_reached(error: CapReachedError) -> Problem:
    """429 until there is room again; 403 where such an order never has any."""
    if error.free_at is None:
        return Problem(403, "cap_reached", f"{error}; one call may last longer than that")
    wait_s = max(1, math.ceil(error.free_at - time.time()))
    headers = {"Retry-After": str(wait_s)}
    detail = f"{error}; there is room again at {rfc3339(error.free_at)}"
    return Problem(429, "cap_reached", detail, headers=headers)


def number_field_of(body: JsonObject) -> str:
    """What a request calls the number: `to_number` is the same field as `to`."""
    return "to_number" if "to_number" in body else "to"


def _refused(field: str, detail: str, code: str) -> Problem:
    return invalid([FieldError(detail, pointer(field))], code)


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
        await read_order(deployment, {**template, "to": _ANYBODY}, api_key_id, open_variables=True)
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


async def active_agent(store: Store, agent_id: str) -> Agent:
    """The agent that is to make a call. Raises Problem that points to `/agent_id`."""
    try:
        agent = await store.agents.get(agent_id)
    except NotFound as error:
        raise _refused("agent_id", "there is no such agent", "unknown_agent") from error
    if agent.type != "outbound":
        raise _refused("agent_id", "is an inbound agent: it places no calls", "inbound_agent")
    if agent.status != "active":
        raise _refused("agent_id", "is archived", "unknown_agent")
    return agent
