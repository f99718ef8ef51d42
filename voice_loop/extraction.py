"""The call's typed result: from the client's `returns` to a JSON Schema, and back from text.

`returns` maps field names to types. A type is a simple name, a list of allowed strings, or an
object `{"type": …, "enum": […], "description": …}`. Every field may be null, because a person
may not have said it.
"""

import json
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import aclosing
from typing import Any, Literal

import jsonschema

from voice_loop.ports import LanguageModel
from voice_loop.prompts import JsonValue, extraction_messages

_SIMPLE: Mapping[str, Mapping[str, Any]] = {
    "string": {"type": ["string", "null"]},
    "number": {"type": ["number", "null"]},
    "integer": {"type": ["integer", "null"]},
    "boolean": {"type": ["boolean", "null"]},
    "date": {"type": ["string", "null"], "format": "date"},
    "datetime": {"type": ["string", "null"], "format": "date-time"},
}

#: Names that a type may have.
KNOWN_TYPES = tuple(_SIMPLE)

#: Tokens that a result may take.
_MAX_RESULT_TOKENS = 512


class ReturnsError(ValueError):
    """`returns` cannot be understood. `pointer` is a JSON pointer to the culprit within it."""

    def __init__(self, pointer: str, message: str) -> None:
        super().__init__(message)
        self.pointer = pointer


class ExtractionError(Exception):
    """The model gave no result of the wanted form."""


def compile_returns(returns: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON Schema of a result. Raises ReturnsError."""
    properties = {}
    for name in sorted(returns):
        pointer = "/" + name.replace("~", "~0").replace("/", "~1")
        properties[name] = _compile_type(returns[name], pointer)
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _compile_type(wanted: Any, pointer: str) -> dict[str, Any]:
    match wanted:
        case str() if wanted in _SIMPLE:
            return dict(_SIMPLE[wanted])
        case str():
            raise ReturnsError(
                pointer, f"unknown type {wanted!r}; known types: {', '.join(KNOWN_TYPES)}"
            )
        case list():
            return _compile_enum(wanted, pointer)
        case {"enum": list(values)}:
            return _compile_enum(values, pointer + "/enum")
        case {"type": str(name)}:
            return _compile_type(name, pointer + "/type")
    raise ReturnsError(
        pointer,
        "a field's type is one of "
        f"{', '.join(KNOWN_TYPES)}, a list of allowed strings, or an object with `type` or `enum`",
    )


def _compile_enum(values: list[Any], pointer: str) -> dict[str, Any]:
    if not values or not all(isinstance(value, str) and value for value in values):
        raise ReturnsError(pointer, "an enum is a list of at least one non-empty string")
    return {"enum": [*dict.fromkeys(values), None]}


async def extract(
    llm: LanguageModel,
    returns: Mapping[str, JsonValue],
    turns: Iterable[tuple[Literal["agent", "person"], str]],
) -> dict[str, Any]:
    """Ask the model for the call's result, constrained to the schema.

    Raises ExtractionError when what came is not such an object, EngineError when the engine fails.
    """
    schema = compile_returns(returns)
    reply: AsyncGenerator[str, None] = llm.stream(
        extraction_messages(returns, turns), max_tokens=_MAX_RESULT_TOKENS, schema=schema
    )
    text = ""
    async with aclosing(reply) as pieces:
        async for piece in pieces:
            text += piece
    try:
        result: dict[str, Any] = json.loads(text)
        jsonschema.validate(result, schema)
    except (ValueError, jsonschema.ValidationError) as error:
        reason = str(error).splitlines()[0]
        raise ExtractionError(f"the model's answer does not match `returns`: {reason}") from error
    return result
