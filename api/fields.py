"""Checking a request's JSON against a model: texts first, then fields, each error with its pointer.

Control characters go no further than this module.
"""

import difflib
from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from api.problems import FieldError, invalid, pointer

MAX_DEPTH: Final = 16

_LINE_BREAKS = frozenset("\t\n\r")


class Body(BaseModel):
    """A request's body: nothing is converted, unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)


B = TypeVar("B", bound=Body)


def without_default(schema: dict[str, Any]) -> None:
    """`json_schema_extra` of what a PATCH may leave out: it stays as it is."""
    schema.pop("default", None)


def parse_fields(
    model: type[B],
    body: Any,
    *,
    free_text: frozenset[str] = frozenset(),
    aliases: Mapping[str, str] | None = None,
) -> B:
    """Check a request's JSON.

    Args:
        model: what it is to be.
        body: what `json.loads` made of it.
        free_text: fields, at any depth, whose texts may hold line breaks and tabs.
        aliases: other names of fields; at most one of the two may be given.

    Raises:
        Problem: 422 with a pointer to every wrong field.
    """
    if not isinstance(body, dict):
        raise invalid([FieldError("must be a JSON object", "")])
    errors = list(_check_texts(body, (), free_text))
    if errors:
        raise invalid(errors)
    aliases = aliases or {}
    given = {}
    for key in body:
        name = aliases.get(key, key)
        if name != key and name in body:
            detail = f"give either {name} or {key}, not both"
            raise invalid([FieldError(detail, pointer(key))])
        given[name] = key
    try:
        return model.model_validate({name: body[key] for name, key in given.items()})
    except ValidationError as error:
        known = [*model.model_fields, *aliases]
        raise invalid(
            _field_error(item["loc"], item["type"], item["msg"], known, given)
            for item in error.errors()
        ) from error


def _field_error(
    loc: tuple[int | str, ...], kind: str, message: str, known: list[str], given: Mapping[str, str]
) -> FieldError:
    if kind == "extra_forbidden":
        near = difflib.get_close_matches(str(loc[-1]), known, 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        return FieldError(f"unknown key{hint}", pointer(*loc))
    first, *rest = loc or ("",)
    return FieldError(message, pointer(given.get(str(first), first), *rest) if loc else "")


def _check_texts(
    value: Any, place: tuple[str | int, ...], free_text: frozenset[str]
) -> Iterator[FieldError]:
    """Refuse what no field may hold: control characters, broken Unicode, endless nesting."""
    if len(place) > MAX_DEPTH:
        yield FieldError(f"nested deeper than {MAX_DEPTH} levels", pointer(*place[:2]))
    elif isinstance(value, str):
        allowed = frozenset() if free_text.isdisjoint(place) else _LINE_BREAKS
        if (wrong := _wrong_character(value, allowed)) is not None:
            yield FieldError(f"must not hold {wrong}", pointer(*place))
    elif isinstance(value, Mapping):
        for key, item in value.items():
            if (wrong := _wrong_character(key, frozenset())) is not None:
                yield FieldError(f"a key must not hold {wrong}", pointer(*place, key))
            else:
                yield from _check_texts(item, (*place, key), free_text)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _check_texts(item, (*place, index), free_text)


def _wrong_character(text: str, allowed: frozenset[str]) -> str | None:
    for character in text:
        code = ord(character)
        if 0xD800 <= code <= 0xDFFF:
            return "a lone surrogate (broken Unicode)"
        if (code < 0x20 or 0x7F <= code <= 0x9F) and character not in allowed:
            return f"the control character U+{code:04X}"
    return None
