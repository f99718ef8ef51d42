"""Revox's call orders: `/api/call`."""

from typing import Any, Final, get_args

from pydantic import BaseModel
from starlette.responses import JSONResponse, Response

from api.base.problems import FieldError, invalid
from api.compat.call_details import CallDetails, find_details, frozen_agent, load_details
from api.compat.mapping import CALL_STATUS, REVOX_ORDER_SAME
from api.compat.orders import place_order
from api.compat.query import read_query, whole_number
from api.compat.revox.config import DEFAULTS, config_of
from api.compat.revox.fields import RevoxCreateCall
from api.compat.revox.objects import (
    RevoxCall,
    RevoxCallEnvelope,
    RevoxStatus,
    call_envelope,
    call_object,
)
from api.compat.revox.times import scheduled_time, zone_for
from api.compat.translation import Translation
from api.compat.voices import language_for
from api.http.endpoint import LOCATION, Answer, EndpointTable, Exchange, Parameter
from api.resources.agent import Agent
from api.resources.call import Call
from api.resources.dialect import CallState
from api.routes.calls import CALL_ID
from api.store.queries import CallFilter

STATUSES: Final[tuple[RevoxStatus, ...]] = get_args(RevoxStatus)
PAGE: Final = (
    whole_number("page", "1 for the first.", least=1, default=1),
    whole_number("page_size", "How many on a page.", least=1, most=100, default=20),
)
_STATUSES: Final = Parameter(
    "statuses[]",
    "query",
    "Only these; may be given several times, also as `statuses`. `initializing` is never seen.",
    {"type": "array", "items": {"type": "string", "enum": list(STATUSES)}},
    ["completed"],
)

PATH: Final = "/api/call"
ONE: Final = PATH + "/{call_id}"
route = EndpointTable("revox", CALL_ID)


class RevoxCallList(BaseModel):
    """Call orders, newest first."""

    calls: list[RevoxCall]
    page: int
    page_size: int
    total: int


@route(
    "POST",
    PATH,
    "Place a call order",
    {
        201: Answer("The order.", RevoxCallEnvelope, headers=LOCATION),
        402: "The budget does not allow it.",
    },
    scope="call",
    keeps_answer=True,
)
async def revox_create_call(exchange: Exchange, asked: RevoxCreateCall) -> Response:
    """With `assistant_id` the stored assistant makes the call, and `assistant` has no effect; with
    neither, an agent of the deployment's defaults does. Without `call_retry_config` there are
    three attempts, Monday to Friday from 10:00 to 18:00 where the callee is, two hours apart.
    """
    services = exchange.services
    agent = await _agent(exchange, asked.assistant_id)
    order = _order_of(asked, agent)
    if (inline := order.body.get("agent")) is not None:
        inline["language"] = language_for(services.engines, services.settings, inline)
    if asked.scheduled_at is not None:
        made_by = inline or ({} if agent is None else agent.config)
        retry = order.body.get("retry", made_by.get("retry"))
        where = zone_for(retry, asked.phone_number, services.settings.calls.default_timezone)
        order.put("scheduled_at", scheduled_time(asked.scheduled_at, where), ("scheduled_at",))
    organization_id = await services.store.organization.id()

    def told(call: Call) -> dict[str, Any]:
        return call_envelope(CallDetails(call, organization_id, services.engines, agent=agent))

    call = await place_order(exchange, order, "revox", told)
    return JSONResponse(told(call), 201, {"Location": f"{PATH}/{call.id}"})


def _order_of(asked: RevoxCreateCall, agent: Agent | None) -> Translation:
    """The order as a body of our own API. It names the service's defaults expressly, unless the
    assistant has values of its own."""
    order = Translation()
    order.put("to", asked.phone_number, ("phone_number",))
    order.comes_from(("from_number",), ("from_phone_number",))
    for member, field in REVOX_ORDER_SAME.items():
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
    """The agent, if there is one with this id; without one `read_order` refuses the order."""
    if agent_id is None:
        return None
    services = exchange.services
    agent = await frozen_agent(services, agent_id, None)
    return None if agent is None else await frozen_agent(services, agent_id, agent.version)


@route(
    "GET",
    PATH,
    "List call orders, newest first",
    {200: Answer("A page of orders.", RevoxCallList)},
    query=(*PAGE, _STATUSES),
)
async def revox_list_calls(exchange: Exchange) -> Response:
    """Lists all calls, however they were placed."""
    page = read_query(exchange, PAGE, ("statuses", "statuses[]"))
    query = exchange.request.query_params
    asked = [*query.getlist("statuses"), *query.getlist("statuses[]")]
    statuses = {status for one in asked for status in one.split(",")}
    if wrong := statuses - set(STATUSES):
        detail = f"{min(wrong)[:40]!r} is not one of {', '.join(STATUSES)}"
        raise invalid([FieldError(detail, parameter="statuses")])
    states: frozenset[CallState] = frozenset(
        state for state, status in CALL_STATUS["revox"].items() if status in statuses
    )
    if statuses and not states:  # no call ever is
        return JSONResponse({"calls": [], **page, "total": 0})
    found, total = await exchange.store.calls.listed(
        limit=page["page_size"], offset=offset_of(page), wanted=CallFilter(states=states)
    )
    details = await load_details(exchange.services, found)
    return JSONResponse({"calls": [call_object(one) for one in details], **page, "total": total})


def offset_of(page: dict[str, Any]) -> int:
    """How many items come before a page."""
    before: int = (page["page"] - 1) * page["page_size"]
    return before


@route("GET", ONE, "Read a call order", {200: Answer("The order.", RevoxCallEnvelope)})
async def revox_get_call(exchange: Exchange) -> Response:
    """Reads any call, however it was placed."""
    return JSONResponse(call_envelope(await find_details(exchange)))


ENDPOINTS = route.endpoints
