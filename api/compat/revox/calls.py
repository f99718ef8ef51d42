"""Revox's call orders: `/api/call`."""

from dataclasses import replace
from typing import Any, Final, get_args

from pydantic import BaseModel
from starlette.responses import JSONResponse, Response

from api.base.fields import parse_fields
from api.base.problems import FieldError, invalid
from api.compat.call_details import CallDetails, find_details, frozen_agent, load_details
from api.compat.mapping import CALL_STATUS
from api.compat.revox.config import DEFAULTS, config_of
from api.compat.revox.fields import RevoxCreateCall
from api.compat.revox.objects import (
    RevoxCall,
    RevoxCallEnvelope,
    RevoxStatus,
    call_envelope,
    call_object,
)
from api.compat.revox.paging import PARAMETERS, read_page
from api.compat.translation import Translation
from api.compat.voices import language_for
from api.http.body import parse_json
from api.http.endpoint import Answer, Endpoint, Exchange, Parameter
from api.orders.place import place, read_order
from api.resources.agent import Agent
from api.resources.dialect import CallState
from api.store.queries import CallFilter

CALL_ID: Final = Parameter("call_id", "path", "Call id.", {"type": "string", "format": "uuid"})
STATUSES: Final[tuple[RevoxStatus, ...]] = get_args(RevoxStatus)
#: Members of an order that are our own as they are.
_SAME: Final = {
    "metadata": "metadata",
    "prompt_variables": "variables",
    "scheduled_at": "scheduled_at",
    "force_now": "force_now",
    "from_phone_number": "from_number",
}


class RevoxCallList(BaseModel):
    """Call orders, newest first."""

    calls: list[RevoxCall]
    page: int
    page_size: int
    total: int


async def revox_create_call(exchange: Exchange) -> Response:
    """With `assistant_id` the stored assistant makes the call, and `assistant` is not looked at;
    with neither, an agent of the deployment's defaults does. Without `call_retry_config` there are
    three attempts, Monday to Friday from 10:00 to 18:00 where the callee is, two hours apart.
    """
    services = exchange.services
    asked = parse_fields(RevoxCreateCall, parse_json(exchange.body))
    agent = await _agent(exchange, asked.assistant_id)
    order = _order_of(asked, agent)
    if (inline := order.body.get("agent")) is not None:
        inline["language"] = language_for(services.engines, services.settings, inline)
    organization_id = await services.store.organization.id()
    with order.told():
        new = await read_order(
            services, order.body, None if exchange.key is None else exchange.key.id
        )
        call = await place(
            services,
            replace(new, dialect="revox"),
            exchange.idempotent,
            lambda call: call_envelope(CallDetails(call, organization_id, agent=agent)),
        )
    told = call_envelope(CallDetails(call, organization_id, agent=agent))
    return JSONResponse(told, 201, {"Location": f"/api/call/{call.id}"})


def _order_of(asked: RevoxCreateCall, agent: Agent | None) -> Translation:
    """Our body of the order. What the service does where a member is left out is told expressly,
    unless the assistant says otherwise."""
    order = Translation()
    order.put("to", asked.phone_number, ("phone_number",))
    order.comes_from(("from_number",), ("from_phone_number",))
    for member, field in _SAME.items():
        if (value := getattr(asked, member)) is not None:
            order.put(field, value, (member,))
    if asked.concurrency is not None:
        order.put("concurrency", asked.concurrency.model_dump(), ("concurrency",))
    if asked.assistant_id is not None:
        order.put("agent_id", asked.assistant_id, ("assistant_id",))
        kept = {} if agent is None else agent.config
        order.body |= {name: value for name, value in DEFAULTS.items() if kept.get(name) is None}
        order.comes_from(("retry",), ("phone_number",))
        order.comes_from(("retry", "timezone"), ("phone_number",))
        return order
    inline: dict[str, Any] = {}
    if asked.assistant is not None:
        config = config_of(asked.assistant, ("assistant",))
        order.within(config, ("agent",))
        inline = {name: value for name, value in config.body.items() if value is not None}
        if asked.from_phone_number is None and asked.assistant.from_phone_number is not None:
            order.comes_from(("from_number",), ("assistant", "from_phone_number"))
    if "retry" not in inline:
        order.comes_from(("agent", "retry"), ("phone_number",))
        order.comes_from(("agent", "retry", "timezone"), ("phone_number",))
    order.body["agent"] = {**DEFAULTS, **inline}
    return order


async def _agent(exchange: Exchange, agent_id: str | None) -> Agent | None:
    """None also for one that there is not: the order is then refused."""
    if agent_id is None:
        return None
    services = exchange.services
    agent = await frozen_agent(services, agent_id, None)
    return None if agent is None else await frozen_agent(services, agent_id, agent.version)


async def revox_list_calls(exchange: Exchange) -> Response:
    """Of any calls, however they were placed."""
    page = read_page(exchange, ("statuses", "statuses[]"))
    query = exchange.request.query_params
    asked = [*query.getlist("statuses"), *query.getlist("statuses[]")]
    statuses = {status for one in asked for status in one.split(",")}
    if wrong := statuses - set(STATUSES):
        detail = f"{min(wrong)[:40]!r} is not one of {', '.join(STATUSES)}"
        raise invalid([FieldError(detail, parameter="statuses")])
    states: frozenset[CallState] = frozenset(
        state for state, status in CALL_STATUS["revox"].items() if status in statuses
    )
    calls = exchange.services.store.calls
    if statuses and not states:  # no call ever is
        return JSONResponse({"calls": [], **page.told(0)})
    found, total = await calls.listed(
        limit=page.size, offset=page.offset, wanted=CallFilter(states=states)
    )
    details = await load_details(exchange.services, found)
    return JSONResponse({"calls": [call_object(one) for one in details], **page.told(total)})


async def revox_get_call(exchange: Exchange) -> Response:
    """Of any call, however it was placed."""
    return JSONResponse(call_envelope(await find_details(exchange)))


_STATUSES: Final = Parameter(
    "statuses[]",
    "query",
    "Only these; may be given several times, also as `statuses`. `initializing` is never seen.",
    {"type": "array", "items": {"type": "string", "enum": list(STATUSES)}},
    ["completed"],
)

ENDPOINTS: Final = (
    Endpoint(
        "POST",
        "/api/call",
        revox_create_call,
        "Place a call order",
        "revox",
        {
            201: Answer("The order.", RevoxCallEnvelope, headers={"Location": "Its path."}),
            400: Answer("The body is not JSON."),
            402: Answer("The budget does not allow it."),
            413: Answer("The body is too large."),
            422: Answer("A member is wrong."),
        },
        body=RevoxCreateCall,
        scope="call",
        keeps_answer=True,
    ),
    Endpoint(
        "GET",
        "/api/call",
        revox_list_calls,
        "List call orders, newest first",
        "revox",
        {200: Answer("A page of orders.", RevoxCallList), 422: Answer("A parameter is wrong.")},
        parameters=(*PARAMETERS, _STATUSES),
    ),
    Endpoint(
        "GET",
        "/api/call/{call_id}",
        revox_get_call,
        "Read a call order",
        "revox",
        {200: Answer("The order.", RevoxCallEnvelope), 404: Answer("No such call.")},
        parameters=(CALL_ID,),
    ),
)
