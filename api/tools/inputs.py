"""What a tool asks of the language model: its inputs as a JSON Schema, and what the model gave as
values of their types."""

import math
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from api.base.dates import as_date, as_datetime
from api.resources.tool_fields import Input

#: Characters that a text may have.
MAX_TEXT: Final = 4_000


class InputError(ValueError):
    """An argument is not what the input is to be; the message is for the language model."""


def parameters(inputs: Iterable[Input], now: datetime) -> dict[str, Any]:
    """The JSON Schema of a tool's arguments.

    Args:
        inputs: what the tool asks for.
        now: where the person is; dates are told against it.
    """
    inputs = list(inputs)
    return {
        "type": "object",
        "properties": {one.name: _schema(one, now) for one in inputs},
        "required": [one.name for one in inputs if one.required],
        "additionalProperties": False,
    }


def _schema(wanted: Input, now: datetime) -> dict[str, Any]:
    notes = [] if wanted.description is None else [wanted.description]
    match wanted.type:
        case "enum":
            schema: dict[str, Any] = {"enum": list(wanted.enum_options or ())}
        case "date":
            schema = {"type": "string", "format": "date"}
            notes.append(f"A date; today is {now.date().isoformat()}, {now:%A}.")
        case "datetime":
            schema = {"type": "string", "format": "date-time"}
            # No time of day: it would part the prompts of calls that begin alike.
            offset = now.isoformat()[-6:]
            notes.append(f"A time; today is {now.date().isoformat()}, {now:%A}, at {offset}.")
        case kind:
            schema = {"type": kind}
    return schema | ({"description": " ".join(notes)} if notes else {})


def read_inputs(
    inputs: Iterable[Input], arguments: Mapping[str, Any], now: datetime
) -> dict[str, Any]:
    """The value of every input; None for one that may be and is left out.

    A number, truth value, date or time written in another form is taken as what it says
    (`api.base.dates`); a time without an offset is the person's own.

    Args:
        inputs: what the tool asks for.
        arguments: what the model gave.
        now: where the person is.

    Raises InputError.
    """
    values: dict[str, Any] = {}
    for one in inputs:
        given = arguments.get(one.name)
        if given is None:
            if one.required:
                raise InputError(f"{one.name} is missing")
            values[one.name] = None
        else:
            values[one.name] = _value(one, given, now)
    if unknown := sorted(arguments.keys() - values.keys()):
        raise InputError(f"there is no argument {unknown[0]!r}"[:200])
    return values


def _value(wanted: Input, given: Any, now: datetime) -> Any:
    match wanted.type:
        case "number":
            value: Any = _number(given)
        case "boolean":
            value = {"true": True, "false": False}.get(str(given).lower())
        case "string":
            value = _text(given)
        case "enum":
            value = given if given in (wanted.enum_options or ()) else None
        case "date":
            value = as_date(given) if isinstance(given, str) else None
        case "datetime":
            value = as_datetime(given, now.tzinfo or UTC) if isinstance(given, str) else None
    if value is None:
        raise InputError(f"{wanted.name} must be {_wanted(wanted)}")
    return value


def _wanted(wanted: Input) -> str:
    match wanted.type:
        case "enum":
            return f"one of: {', '.join(wanted.enum_options or ())}"
        case "date":
            return "a date, as 2027-03-01"
        case "datetime":
            return "a time, as 2027-03-01T09:00:00+01:00"
        case "string":
            return f"a text of up to {MAX_TEXT} characters"
        case "number":
            return "a number"
        case "boolean":
            return "true or false"


def _text(given: Any) -> str | None:
    if not isinstance(given, str) or len(given) > MAX_TEXT:
        return None
    broken = any("\ud800" <= character <= "\udfff" for character in given)
    return None if broken else given


def _number(given: Any) -> int | float | None:
    if isinstance(given, bool):
        return None
    if isinstance(given, str):
        for kind in (int, float):
            try:
                return _number(kind(given))
            except ValueError:
                continue
        return None
    if not isinstance(given, int | float):
        return None
    try:
        return given if math.isfinite(given) else None
    except OverflowError:  # an integer larger than any float
        return None
