"""Examples out of JSON Schemas: each field has its own, and those of objects are made of them."""

from collections.abc import Mapping
from typing import Any, Final

_REF = "#/components/schemas/"

_BY_FORMAT: Final[Mapping[str, str]] = {
    "date-time": "2027-03-01T09:00:00.000Z",
    "uuid": "6f1c2d3e-4b5a-4c6d-8e7f-901234567890",
}


class NoExampleError(Exception):
    """A field needs `examples=[…]`; the message names it."""


def sample(
    schema: Mapping[str, Any], definitions: Mapping[str, Any], *, whole: bool = True, at: str = ""
) -> Any:
    """An example of what `schema` describes.

    A schema's own `examples` come first, then `const`, `enum`, `default`, null where it may be,
    `format` and the type.

    Args:
        schema: a JSON Schema as pydantic writes it.
        definitions: `components.schemas`.
        whole: an object has all its properties; else those that are required or have examples, as
            somebody would send it.
        at: the schema's name, for the error.

    Raises NoExampleError where only a made-up text would do.
    """
    if schema.get("examples"):
        return schema["examples"][0]
    if "$ref" in schema:
        name = schema["$ref"].removeprefix(_REF)
        return sample(definitions[name], definitions, whole=whole, at=name)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    if "default" in schema:
        return schema["default"]
    if "anyOf" in schema:
        if {"type": "null"} in schema["anyOf"]:
            return None
        return sample(schema["anyOf"][0], definitions, whole=whole, at=at)
    if schema.get("format") in _BY_FORMAT:
        return _BY_FORMAT[schema["format"]]
    return _of_type(schema, definitions, whole, at)


def _of_type(
    schema: Mapping[str, Any], definitions: Mapping[str, Any], whole: bool, at: str
) -> Any:
    match schema.get("type"):
        case "object":
            required = schema.get("required", ())
            return {
                name: sample(one, definitions, whole=whole, at=f"{at}.{name}")
                for name, one in schema.get("properties", {}).items()
                if whole or name in required or "examples" in one
            }
        case "array":
            return [sample(schema.get("items", {}), definitions, whole=whole, at=at)]
        case "boolean":
            return True
        case "integer" | "number":
            return schema.get("minimum", 1)
        case "null":
            return None
    raise NoExampleError(f"{at}: give it examples=[…]")
