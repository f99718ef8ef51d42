"""How a conversation was held, as JSON and back: what it was configured with, less its sounds and
what its tools do."""

from collections.abc import Mapping
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from pydantic import TypeAdapter

from voice_loop.answering.watch import AnswerConfig
from voice_loop.config import ConversationConfig
from voice_loop.floor import FloorConfig
from voice_loop.tools import Tool, ToolSpec

#: Fields that are not values of their own.
_PARTS: Final = ("now", "faq", "answering", "tools", "ambience", "floor")
_FLOOR: Final = TypeAdapter(FloorConfig)
_ANSWERING: Final = TypeAdapter(AnswerConfig)
_SPEC: Final = TypeAdapter(ToolSpec)
_FAQ: Final = TypeAdapter(tuple[tuple[str, str], ...])
_USUAL: Final = ConversationConfig("")


def held_json(config: ConversationConfig) -> dict[str, Any]:
    """As it stands in a box's header."""
    plain = {
        field.name: getattr(config, field.name)
        for field in fields(config)
        if field.name not in _PARTS
    }
    now = config.now
    return {
        **plain,
        "now": None if now is None else {"at": now.timestamp(), "zone": str(now.tzinfo or "UTC")},
        "faq": config.faq,
        "floor": asdict(config.floor),
        "answering": asdict(config.answering),
        "tools": [_tool_json(tool) for tool in config.tools],
    }


def _tool_json(tool: Tool) -> dict[str, Any]:
    return {"spec": asdict(tool.spec), "say": tool.say}


def held_of(told: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a `ConversationConfig`, but for tools and sounds; what it does not tell is as
    usual. Raises KeyError, TypeError, ValueError for what is of another kind."""
    plain: dict[str, Any] = {}
    for field in fields(ConversationConfig):
        if field.name not in _PARTS and field.name in told:
            plain[field.name] = _checked(field.name, told[field.name])
    now = told.get("now")
    return {
        **plain,
        "now": None if now is None else datetime.fromtimestamp(now["at"], ZoneInfo(now["zone"])),
        "faq": _FAQ.validate_python(told["faq"]),
        "floor": _FLOOR.validate_python(told["floor"]),
        "answering": _ANSWERING.validate_python(told["answering"]),
    }


def tool_specs(told: Mapping[str, Any]) -> list[tuple[ToolSpec, str | None]]:
    """What its tools were called, and what was said while they worked. Raises KeyError, TypeError,
    ValueError."""
    return [
        (_SPEC.validate_python(one["spec"]), None if one["say"] is None else str(one["say"]))
        for one in told["tools"]
    ]


def _checked(name: str, value: Any) -> Any:
    usual = getattr(_USUAL, name)
    if name == "context":
        kinds: tuple[type, ...] = (dict,)
    elif usual is None or name == "country":
        kinds = (str, type(None))
    else:
        kinds = (float, int) if isinstance(usual, float) else (type(usual),)
    if not isinstance(value, kinds):
        raise TypeError(f"conversation.{name}: {value!r}")
    return value
