"""Where a call's configuration comes from: agent < inline < overrides < call.

Each layer has what was given and nothing else. A later one wins field by field; in `context`,
`variables`, `sip_headers`, `voice`, `llm` and `transcriber` key by key. Lists and `returns` are
replaced whole. A null takes back what an earlier layer said, but is a variable's value. A key goes
to the server that it was given for: with another `llm.api_url` an earlier layer's `llm.api_key` is
gone. A voice is what was named last.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Final

from api.base.fields import read_fields
from api.base.json_object import JsonObject
from api.base.problems import FieldError, Problem, invalid, pointer
from api.resources.agent_fields import AgentFields

#: What names a voice: whichever of it is given later names it alone.
_NAME_OF_VOICE: Final = frozenset({"id", "provider", "model"})
#: Fields that are merged key by key.
_KEYED: Final = frozenset({"context", "variables", "voice", "llm", "transcriber", "sip_headers"})


@dataclass(frozen=True)
class Layers:
    """The four sources, each as JSON that `AgentFields` accepts."""

    agent: JsonObject = field(default_factory=dict)
    """Of the stored agent that `agent_id` names."""
    inline: JsonObject = field(default_factory=dict)
    """The request's `agent`."""
    overrides: JsonObject = field(default_factory=dict)
    """The request's `overrides`."""
    call: JsonObject = field(default_factory=dict)
    """The request's own fields."""
    names: Mapping[str, str] = field(default_factory=dict)
    """What the request calls its own fields, where that is not their name."""

    @cached_property
    def merged(self) -> JsonObject:
        """The configuration that holds; only what is set."""
        whole: dict[str, Any] = {}
        for layer in (self.agent, self.inline, self.overrides, self.call):
            for name, value in layer.items():
                before = whole.get(name)
                if value is None:
                    whole.pop(name, None)
                elif name in _KEYED and isinstance(before, Mapping):
                    whole[name] = _kept(name, over(name, before, value))
                else:
                    whole[name] = _kept(name, value) if name in _KEYED else value
        return whole

    @cached_property
    def fields(self) -> AgentFields:
        """The same, validated: what was stored may be wrong by now. Raises Problem with a pointer
        into the request to every wrong field."""
        try:
            return read_fields(AgentFields, self.merged)
        except Problem as problem:
            raise invalid(map(self.rebased, problem.errors), problem.code) from problem

    def over_agent(self) -> dict[str, JsonObject]:
        """What is merged upon the agent's, as `Call.agent_layers` keeps it."""
        return {"inline": self.inline, "overrides": self.overrides, "call": self.call}

    def place(self, *path: str | int) -> str:
        """JSON pointer into the request to where a field of the merged configuration is from."""
        name = path[0]
        for prefix, layer in (
            ((), self.call),
            (("overrides",), self.overrides),
            (("agent",), self.inline),
        ):
            if layer.get(str(name)) is not None:
                first = name if prefix else self.names.get(str(name), name)
                return pointer(*prefix, first, *path[1:])
        return pointer("agent_id") if self.agent.get(str(name)) is not None else pointer(*path)

    def rebased(self, error: FieldError) -> FieldError:
        """The same error, pointing into the request rather than into the merged configuration."""
        if error.pointer is None:
            return error
        _, name, *rest = error.pointer.split("/")
        place = self.place(name)
        if place == pointer("agent_id"):
            detail = f"its agent's {error.pointer[1:]}: {error.detail}"
            return replace(error, detail=detail, pointer=place)
        return replace(error, pointer="/".join((place, *rest)))


def given(fields: AgentFields) -> dict[str, Any]:
    """A layer of what was given; nulls that were given are kept."""
    names = AgentFields.model_fields.keys()
    dumped = fields.model_dump(exclude_unset=True)
    return {name: value for name, value in dumped.items() if name in names}


def over(name: str, before: Mapping[str, Any], value: Mapping[str, Any]) -> dict[str, Any]:
    """A field of an earlier layer with a later one's over it, key by key; nulls that were given are
    kept.

    Args:
        name: of the field.
        before: the earlier layer's.
        value: the later one's.
    """
    gone: frozenset[str] = frozenset()
    if name == "llm" and value.get("api_url", before.get("api_url")) != before.get("api_url"):
        gone = frozenset({"api_key"})
    if name == "voice" and (value.get("id") or value.get("model")) is not None:
        gone = _NAME_OF_VOICE
    return {**{key: item for key, item in before.items() if key not in gone}, **value}


def _kept(name: str, value: Mapping[str, Any]) -> dict[str, Any]:
    """A field that is merged key by key, without what was taken back."""
    return {key: item for key, item in value.items() if item is not None or name == "variables"}
