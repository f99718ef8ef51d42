"""What an inbound call brought along, as far as its language model has room for it."""

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime

from api.agents.sizes import check_filled
from api.base.json_object import JsonObject
from api.resources.agent_fields import AgentFields
from api.resources.call import Call
from api.resources.call_facts import callee_zone, values_of
from api.resources.masking import masked
from api.resources.sip import KEY, sip_variables
from models.registry import EngineRegistry


def with_room(call: Call, engines: EngineRegistry, at: float, default_zone: str | None) -> Call:
    """The call as its conversation is told of it: where its prompt would be too long, without as
    many of the headers that it brought along, whole ones from the end, then of the arguments. They
    go from the context first, from the variables only if that is not enough.

    Args:
        call: which.
        engines: among them its language model; raises EngineError if they are not.
        at: Unix seconds.
        default_zone: as of `callee_zone`.
    """
    now = datetime.fromtimestamp(at, callee_zone(call, default_zone))

    def fits(told: Call) -> bool:
        fields = {**call.agent, "instructions": call.prompt, "context": told.context}
        config = AgentFields.model_validate(masked(fields))
        return not check_filled(config, values_of(told, at, default_zone), engines, now)

    if call.sip is None or fits(call):
        return call
    shorter = list(_shorter(call, call.sip))
    return shorter[bisect_left(shorter[:-1], True, key=fits)]


def _shorter(call: Call, sip: JsonObject) -> Iterator[Call]:
    """The call with less and less of what it brought along."""
    others = {key: value for key, value in call.context.items() if key != KEY}
    for less in _less(sip):
        yield replace(call, context=others if less is None else {**others, KEY: less})
    empty = {**call.variables, **dict.fromkeys(sip_variables(sip), "")}
    for less in _less(sip):
        yield replace(call, context=others, variables={**empty, **sip_variables(less)})


def _less(sip: JsonObject) -> Iterator[JsonObject | None]:
    headers: Mapping[str, str] = sip["headers"]
    for kept in reversed(range(len(headers))):
        yield {**sip, "headers": dict([*headers.items()][:kept])}
    for kept in reversed(range(len(sip["arguments"]))):
        yield {**sip, "headers": {}, "arguments": sip["arguments"][:kept]}
    yield None
