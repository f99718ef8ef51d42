"""What nobody may read back of a configuration: keys of engines and sensitive headers."""

from collections.abc import Mapping
from typing import Any, Final

from api.records import JsonObject

MASK: Final = "********"

#: Parts of header names whose values open doors.
_SENSITIVE: Final = ("authorization", "cookie", "key", "token", "secret", "password", "signature")


def is_sensitive(header: str) -> bool:
    """Whether a header of this name is masked."""
    return any(part in header.lower() for part in _SENSITIVE)


def masked(config: JsonObject) -> dict[str, Any]:
    """The same configuration, to be shown."""
    shown = dict(config)
    if isinstance(llm := shown.get("llm"), Mapping) and llm.get("api_key") is not None:
        shown["llm"] = {**llm, "api_key": MASK}
    if isinstance(tools := shown.get("tools"), list):
        shown["tools"] = [_tool(tool) for tool in tools]
    return shown


def _tool(tool: Mapping[str, Any]) -> dict[str, Any]:
    headers = [
        {**pair, "value": MASK} if is_sensitive(pair["key"]) else pair
        for pair in tool.get("headers", ())
    ]
    return {**tool, "headers": headers} if headers else dict(tool)
