"""What nobody may read back of a configuration: keys of engines, and sensitive headers and query
parameters of tools.

In the store they are sealed, in answers masked. The same holds for what has configurations in it:
a call's body (`agent`, `overrides`) and its layers.
"""

from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from api.base.json_object import JsonObject
from api.base.text import MASK, is_sensitive
from api.egress.policy import destination
from api.resources.agent_fields import AgentFields

if TYPE_CHECKING:
    from api.egress.sealing import Seal
_NESTED: Final = ("agent", "inline", "overrides", "call")


@dataclass(frozen=True)
class Hidden:
    """A value that is not shown."""

    path: tuple[str | int, ...]
    name: tuple[str, ...]
    """What it is, wherever it stands in a list: its tool, its header, its server."""
    text: str


def hidden(config: JsonObject) -> Iterator[Hidden]:
    """Every such value. What is not of the right shape is passed over."""
    llm, tools = config.get("llm"), config.get("tools")
    if isinstance(llm, Mapping) and isinstance(key := llm.get("api_key"), str):
        yield Hidden(("llm", "api_key"), ("llm", _server(llm.get("api_url"))), key)
    for index, tool in enumerate(tools if isinstance(tools, list) else ()):
        for kind in ("headers", "query_params"):
            pairs = tool.get(kind) if isinstance(tool, Mapping) else None
            for place, pair in enumerate(pairs if isinstance(pairs, list) else ()):
                match pair:
                    case {"key": str(key), "value": str(text)} if is_sensitive(key):
                        path = ("tools", index, kind, place, "value")
                        name = (kind, str(tool.get("name")), key.lower(), _server(tool.get("url")))
                        yield Hidden(path, name, text)
    for within in _NESTED:
        if isinstance(part := config.get(within), Mapping):
            for one in hidden(part):
                yield Hidden((within, *one.path), (within, *one.name), one.text)


def masked(config: JsonObject) -> dict[str, Any]:
    """The same configuration, to be shown."""
    return _changed(config, lambda _: MASK)


def sealed(config: JsonObject, seal: "Seal") -> dict[str, Any]:
    """The same configuration, to be stored."""
    return _changed(config, lambda one: seal.seal(one.text))


def unsealed(config: JsonObject, seal: "Seal") -> dict[str, Any]:
    """The same configuration, as it was stored, to be used. Raises SealError."""
    return _changed(config, lambda one: seal.open(one.text))


def unmasked(config: JsonObject, before: JsonObject) -> dict[str, Any]:
    """The same configuration, with what it was `before` for every mask that reads had shown.

    It goes to the same server only: else whoever may change a configuration could have its keys
    sent to themselves.
    """
    known = {one.name: one.text for one in hidden(before)}
    return _changed(config, lambda one: known.get(one.name, MASK) if one.text == MASK else one.text)


def frozen_config(snapshot: JsonObject, seal: "Seal") -> AgentFields:
    """A call's configuration (`Call.agent`) to work with. Raises SealError."""
    return AgentFields.model_validate(unsealed(snapshot, seal))


def _server(url: object) -> str:
    try:
        return destination(url) if isinstance(url, str) else ""
    except ValueError:
        return ""


def _changed(config: JsonObject, change: Callable[[Hidden], str]) -> dict[str, Any]:
    found = list(hidden(config))
    if not found:
        return dict(config)
    changed: dict[str, Any] = deepcopy(dict(config))
    for one in found:
        *path, last = one.path
        place: Any = changed
        for step in path:
            place = place[step]
        place[last] = change(one)
    return changed
