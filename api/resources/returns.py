"""The `returns` of a call: field names with the type of what is to be found out.

Types are those of `api.resources.return_types`. With `"required": true` a result without it has
failed. The whole may be the JSON Schema of an object, too.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import tzinfo
from typing import Any, Final

from jsonschema import Draft202012Validator

from api.base.dates import as_date, as_datetime
from api.base.problems import FieldError, pointer
from api.resources.return_types import (
    SCHEMAS,
    check_type,
    fields_of,
    has_keywords,
    is_required,
    object_schema,
    required_type,
    schema_of,
    told_type,
)

MAX_FIELDS: Final = 64

_FIELD_NAME = re.compile(r"(?=.*\S)[^\x00-\x1f\x7f-\x9f\u2028\u2029]{1,128}")
TYPE_NAMES: Final = tuple(SCHEMAS)
#: Keys of `returns` as JSON Schema.
_OF_WHOLE: Final = frozenset(
    {
        *("type", "properties", "required", "additionalProperties"),
        *("title", "description", "$schema", "$id"),
    }
)
#: What models write for what was not said, where no text can be meant.
_NOTHING: Final = frozenset({"", "null", "none", "n/a"})


def check_returns(returns: Mapping[str, Any]) -> list[FieldError]:
    """What is wrong with `returns`; empty when it can be extracted."""
    fields, place = _fields(returns), _place(returns)
    errors = [*_check_whole(returns)] if _is_schema(returns) else []
    for name, wanted in fields.items():
        if _FIELD_NAME.fullmatch(name) is None:
            errors.append(
                FieldError(
                    "a field's name is 1 to 128 characters on one line, not all of them blank",
                    pointer(*place, name),
                )
            )
        errors += check_type(wanted, (*place, name))
    if not errors and fields_of(result_schema(returns)) > MAX_FIELDS:
        return [FieldError(f"at most {MAX_FIELDS} fields", pointer(*place))]
    return errors


def result_schema(returns: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON Schema of a call's result: every field present, each of its type or null.

    Args:
        returns: one that `check_returns` finds nothing wrong with.
    """
    return object_schema({name: schema_of(one) for name, one in _fields(returns).items()})


def told_returns(returns: Mapping[str, Any]) -> dict[str, Any]:
    """Field name to type as a language model is told of them.

    Args:
        returns: as of `result_schema`.
    """
    must = _required(returns)
    return {
        name: required_type(wanted) if name in must or is_required(wanted) else told_type(wanted)
        for name, wanted in _fields(returns).items()
    }


def _check_whole(schema: Mapping[str, Any]) -> Iterator[FieldError]:
    """What is wrong with the JSON Schema of an object besides its fields."""
    for key in schema:
        if key not in _OF_WHOLE:
            yield FieldError("unknown key", pointer("returns", key))
    required = schema.get("required", [])
    if not isinstance(required, list):
        yield FieldError("a list of fields", pointer("returns", "required"))
        return
    for index, name in enumerate(required):
        if not isinstance(name, str) or name not in schema["properties"]:
            yield FieldError("no field of this name", pointer("returns", "required", index))


def _fields(returns: Mapping[str, Any]) -> Mapping[str, Any]:
    """Field name to type; `returns` may be the JSON Schema of an object."""
    if not _is_schema(returns):
        return returns
    fields: Mapping[str, Any] = returns["properties"]
    return fields


def _required(returns: Mapping[str, Any]) -> frozenset[str]:
    """The fields that `returns` as the JSON Schema of an object says must be said."""
    return frozenset(returns.get("required", ()) if _is_schema(returns) else ())


def _place(returns: Mapping[str, Any]) -> tuple[str, ...]:
    return ("returns", "properties") if _is_schema(returns) else ("returns",)


def _is_schema(returns: Mapping[str, Any]) -> bool:
    return returns.get("type") == "object" and isinstance(returns.get("properties"), dict)


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
    fields = _fields(returns)
    settled: dict[str, Any] = {}
    faults: dict[str, str] = {}
    for name, value in result.items():
        try:
            settled[name] = _settled(schema_of(fields[name]), value, zone)
        except ValueError as error:
            settled[name], faults[name] = None, f"`{name}` is no {error}"
    must = _required(returns)
    for name, wanted in fields.items():
        for path in _unsaid(name, wanted, settled[name], must=name in must):
            faults.setdefault(path, f"`{path}` is required and was not said")
    return settled, "; ".join(faults.values()) or None


def _unsaid(path: str, wanted: Any, value: Any, *, must: bool = False) -> Iterator[str]:
    """What is required in a value, and null.

    Args:
        path: where the value is in the result.
        wanted: its type.
        value: the value.
        must: whether what the type is in requires it.
    """
    if value is None:
        if must or is_required(wanted):
            yield path
        return
    wanted = _meant(wanted, value)
    if isinstance(value, list):
        items = wanted.get("items") if isinstance(wanted, Mapping) else _only(wanted)
        for index, one in enumerate(value):
            yield from _unsaid(f"{path}[{index}]", items, one)
    elif isinstance(value, Mapping) and isinstance(wanted, Mapping):
        whole = has_keywords(wanted)
        names = wanted.get("required") if whole else ()
        within = wanted.get("properties", {}) if whole else wanted
        for name, one in value.items():
            listed = isinstance(names, list) and name in names
            yield from _unsaid(f"{path}.{name}", within.get(name), one, must=listed)


def _only(items: Any) -> Any:
    """The type of the items of a list that is around it; None of others."""
    return items[0] if isinstance(items, list) and len(items) == 1 else None


def _meant(wanted: Any, value: Any) -> Any:
    """Of several types, that of a list or an object."""
    several = wanted.get("anyOf", wanted.get("oneOf")) if isinstance(wanted, Mapping) else None
    for one in several if isinstance(several, list) else ():
        if one not in ("null", {"type": "null"}) and _is_like(schema_of(one), value):
            return _meant(one, value)
    return wanted


def _is_like(schema: Mapping[str, Any], value: Any) -> bool:
    if "anyOf" in schema:
        return any(_is_like(one, value) for one in schema["anyOf"])
    if isinstance(value, Mapping):
        return set(value) == set(schema.get("properties", ()))
    return isinstance(value, list) and schema.get("type") == "array"


def _settled(schema: Mapping[str, Any], value: Any, zone: tzinfo) -> Any:
    """`value` in its format, into which it is brought where that is certain; ValueError where it
    is not. Of several types, it is settled by the first that it may be of and is certain in."""
    if value is None:
        return None
    faults: list[str] = []
    options = [one for one in _options(schema) if Draft202012Validator(one).is_valid(value)]
    for option in sorted(options, key=_breadth):
        try:
            return _settled_by(option, value, zone)
        except ValueError as fault:
            faults.insert(0, str(fault))
    if isinstance(value, str) and value.strip().casefold() in _NOTHING:
        return None
    raise ValueError(" or ".join(dict.fromkeys(faults)))


def _options(schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The types that a value may be of."""
    if "anyOf" not in schema:
        yield schema
    for one in schema.get("anyOf", ()):
        yield from _options(one)


def _breadth(schema: Mapping[str, Any]) -> int:
    """How much else may be meant by a text of a type, the least first: a date is seen in a time,
    too, and a word in anything."""
    if "enum" in schema:
        return 0
    return {"date-time": 1, "date": 2}.get(schema.get("format", ""), 3)


def _settled_by(schema: Mapping[str, Any], value: Any, zone: tzinfo) -> Any:
    """As `_settled`, of one type that `value` is of."""
    if isinstance(value, list):
        return [_settled(schema.get("items", {}), one, zone) for one in value]
    if isinstance(value, Mapping):
        fields = schema.get("properties", {})
        return {name: _settled(fields.get(name, {}), one, zone) for name, one in value.items()}
    if not isinstance(value, str) or "format" not in schema:
        return value
    kind = schema["format"]
    found = as_date(value) if kind == "date" else as_datetime(value, zone)
    if found is None:
        raise ValueError(kind)
    return found
