"""The `returns` of a call: field names with the type of what is to be found out.

A type is a name (`"boolean"`), a list of choices (`["yes", "no"]`), or an object in the manner
of JSON Schema: `{"type": "string", "enum": […], "description": "…"}`,
`{"type": "array", "items": "string"}`. With `"required": true` a result without it has failed.
"""

import re
from collections.abc import Mapping
from datetime import tzinfo
from typing import Any, Final

from api.base.dates import as_date, as_datetime
from api.base.problems import FieldError, pointer

MAX_FIELDS: Final = 64
MAX_CHOICES: Final = 64
MAX_TEXT: Final = 500

_FIELD_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")
_OBJECT_KEYS = frozenset({"type", "enum", "items", "description", "format", "required"})

#: Type name to the JSON Schema of a value that was said.
_SCHEMAS: Final[Mapping[str, Mapping[str, Any]]] = {
    "string": {"type": "string"},
    "number": {"type": "number"},
    "integer": {"type": "integer"},
    "boolean": {"type": "boolean"},
    "date": {"type": "string", "format": "date"},
    "datetime": {"type": "string", "format": "date-time"},
}
TYPE_NAMES: Final = tuple(_SCHEMAS)
#: What models write for what was not said, where no text can be meant.
_NOTHING: Final = frozenset({"", "null", "none", "n/a"})
_KNOWN = (
    f"known types are {', '.join(TYPE_NAMES)}, a list of choices, and an object with `type` "
    '(also "array" with `items`), `enum`, `description` and `required`'
)


def check_returns(returns: Mapping[str, Any]) -> list[FieldError]:
    """What is wrong with `returns`; empty when it can be extracted."""
    if len(returns) > MAX_FIELDS:
        return [FieldError(f"at most {MAX_FIELDS} fields", pointer("returns"))]
    errors = []
    for name, wanted in returns.items():
        place = ("returns", name)
        if _FIELD_NAME.fullmatch(name) is None:
            errors.append(
                FieldError(
                    "a field's name is 1 to 64 letters, digits, underscores and hyphens, and does "
                    "not start with a digit",
                    pointer(*place),
                )
            )
        errors += _check_type(wanted, place)
    return errors


def _check_type(wanted: Any, place: tuple[str, ...]) -> list[FieldError]:
    if isinstance(wanted, str):
        if wanted in _SCHEMAS:
            return []
        return [FieldError(f"unknown type {wanted[:40]!r}; {_KNOWN}", pointer(*place))]
    if isinstance(wanted, list):
        return _check_choices(wanted, place)
    if not isinstance(wanted, dict):
        return [FieldError(f"not a type; {_KNOWN}", pointer(*place))]
    errors = [
        FieldError(f"unknown key; {_KNOWN}", pointer(*place, key))
        for key in wanted
        if key not in _OBJECT_KEYS
    ]
    kind = wanted.get("type", "string" if "enum" in wanted else None)
    if kind == "array":
        errors += _check_type(wanted.get("items", "string"), (*place, "items"))
    elif not isinstance(kind, str) or kind not in _SCHEMAS:
        errors.append(FieldError(f"unknown type; {_KNOWN}", pointer(*place, "type")))
    if "enum" in wanted:
        errors += _check_choices(wanted["enum"], (*place, "enum"))
    if wanted.get("format") not in {None, "date", "date-time"}:
        errors.append(FieldError("known formats are date and date-time", pointer(*place, "format")))
    elif wanted.get("format") is not None and (kind != "string" or "enum" in wanted):
        errors.append(FieldError("only of the type string", pointer(*place, "format")))
    if not isinstance(wanted.get("required", False), bool):
        errors.append(FieldError("true or false", pointer(*place, "required")))
    description = wanted.get("description", "")
    if not isinstance(description, str) or len(description) > MAX_TEXT:
        errors.append(
            FieldError(f"a text of up to {MAX_TEXT} characters", pointer(*place, "description"))
        )
    return errors


def _check_choices(choices: Any, place: tuple[str, ...]) -> list[FieldError]:
    if (
        isinstance(choices, list)
        and 0 < len(choices) <= MAX_CHOICES
        and all(isinstance(choice, str) and 0 < len(choice) <= MAX_TEXT for choice in choices)
        and len(set(choices)) == len(choices)
    ):
        return []
    return [FieldError(f"1 to {MAX_CHOICES} different texts to choose from", pointer(*place))]


def result_schema(returns: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON Schema of a call's result: every field present, each of its type or null.

    Args:
        returns: one that `check_returns` finds nothing wrong with.
    """
    return {
        "type": "object",
        "properties": {name: _nullable(_schema(wanted)) for name, wanted in returns.items()},
        "required": list(returns),
        "additionalProperties": False,
    }


def _schema(wanted: Any) -> dict[str, Any]:
    if isinstance(wanted, str):
        return dict(_SCHEMAS[wanted])
    if isinstance(wanted, list):
        return {"enum": list(wanted)}
    if wanted.get("type") == "array":
        schema = {"type": "array", "items": _schema(wanted.get("items", "string"))}
    elif "enum" in wanted:
        schema = {"enum": list(wanted["enum"])}
    else:
        schema = dict(_SCHEMAS[wanted["type"]])
        if "format" in wanted:
            schema["format"] = wanted["format"]
    if "description" in wanted:
        schema["description"] = wanted["description"]
    return schema


def _nullable(schema: dict[str, Any]) -> dict[str, Any]:
    if "enum" in schema:
        return schema | {"enum": [*schema["enum"], None]}
    return {"anyOf": [schema, {"type": "null"}]}


def settle_result(
    returns: Mapping[str, Any], result: Mapping[str, Any], zone: tzinfo
) -> tuple[dict[str, Any], str | None]:
    """A result in which every date and time is as its format says, and what is wrong with it, if
    anything.

    Args:
        returns: what was to be found out.
        result: what the model found; it matches `result_schema`.
        zone: the person's; of times without an offset.
    """
    settled: dict[str, Any] = {}
    faults = {}
    for name, value in result.items():
        try:
            settled[name] = _settled(_schema(returns[name]), value, zone)
        except ValueError as error:
            settled[name], faults[name] = None, f"`{name}` is no {error}"
    for name, wanted in returns.items():
        if isinstance(wanted, dict) and wanted.get("required") and settled[name] is None:
            faults.setdefault(name, f"`{name}` is required and was not said")
    return settled, "; ".join(faults.values()) or None


def _settled(schema: Mapping[str, Any], value: Any, zone: tzinfo) -> Any:
    """`value` in its format, into which it is brought where that is certain; ValueError where it
    is not."""
    if isinstance(value, list):
        return [_settled(schema.get("items", {}), one, zone) for one in value]
    if not isinstance(value, str) or "format" not in schema:
        return value
    if value.strip().casefold() in _NOTHING:
        return None
    kind = schema["format"]
    found = as_date(value) if kind == "date" else as_datetime(value, zone)
    if found is None:
        raise ValueError(kind)
    return found
