"""Checking a request's JSON against a model: values, then fields, each error with its pointer.

Control characters go no further than this module.
"""

import difflib
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from types import MappingProxyType
from typing import Any, ClassVar, Final, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from api.base.problems import FieldError, Problem, invalid, pointer, problem_of
from api.base.refusals import Refused

MAX_DEPTH: Final = 16

_AS_NAMED: Final[Mapping[str, str]] = MappingProxyType({})

_LINE_BREAKS = frozenset("\t\n\r")


def _without_defaults(schema: dict[str, Any]) -> None:
    """What a PATCH may leave out has none: it stays."""
    for field in schema["properties"].values():
        field.pop("default", None)


class Body(BaseModel):
    """A request's body: nothing is converted, unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)

    free_text: ClassVar[frozenset[str]] = frozenset()
    """Fields, at any depth, whose texts may hold line breaks and tabs."""
    aliases: ClassVar[Mapping[str, str]] = {}
    """Other names of fields; at most one of the two may be given."""


class Change(Body):
    """What to change of a thing: what is left out stays as it is."""

    model_config = ConfigDict(json_schema_extra=_without_defaults)

    def changes(self) -> dict[str, Any]:
        """What was given."""
        return self.model_dump(include=self.model_fields_set)


B = TypeVar("B", bound=Body)


def without_default(schema: dict[str, Any]) -> None:
    """`json_schema_extra` of what a PATCH may leave out: it stays as it is."""
    schema.pop("default", None)


def parse_fields(model: type[B], body: Any) -> B:
    """Check a request's JSON.

    Args:
        model: what it is to be.
        body: what `json.loads` made of it.

    Raises:
        Problem: 422 with a pointer to every wrong field.
    """
    if not isinstance(body, dict):
        raise invalid([FieldError("must be a JSON object", "")])
    errors = list(_check_values(body, (), model.free_text))
    if errors:
        raise invalid(errors)
    given = {}
    for key in body:
        name = model.aliases.get(key, key)
        if name != key and name in body:
            detail = f"give either {name} or {key}, not both"
            raise invalid([FieldError(detail, pointer(key))])
        given[name] = key
    return read_fields(model, {name: body[key] for name, key in given.items()}, given)


def read_fields(
    model: type[B], named: Mapping[str, Any], given: Mapping[str, str] = _AS_NAMED
) -> B:
    """Check JSON whose values have been looked at before.

    Args:
        model: what it is to be.
        named: the JSON.
        given: what its fields were called, where that is not their name.

    Raises:
        Problem: 422 with a pointer to every wrong field.
    """
    try:
        return model.model_validate(named)
    except ValidationError as error:
        known = [*model.model_fields, *model.aliases]
        raise invalid(_field_errors(error, named, known, given)) from error


@contextmanager
def as_given(body: Mapping[str, Any], aliases: Mapping[str, str]) -> Iterator[None]:
    """Have problems and refusals call a field by the alias that the body has it by.

    Args:
        body: the request's.
        aliases: of its model.
    """
    given = {pointer(name): pointer(alias) for alias, name in aliases.items() if alias in body}
    if not given:
        yield
        return
    try:
        yield
    except (Problem, Refused) as error:
        problem = problem_of(error) if isinstance(error, Refused) else error
        if not problem.errors:
            raise
        errors = (
            replace(one, pointer=given[one.pointer]) if one.pointer in given else one
            for one in problem.errors
        )
        raise invalid(errors, problem.code) from error


def _field_errors(
    error: ValidationError, body: Any, known: list[str], given: Mapping[str, str]
) -> Iterator[FieldError]:
    """One for each wrong value; that it is no member of a union is told once."""
    details: dict[str, list[str]] = {}
    for item in error.errors():
        first, *rest = _place(item, body)
        place = pointer(given.get(str(first), first), *rest) if item["loc"] else ""
        details.setdefault(place, []).append(_detail(item, known))
    for place, (detail, *others) in details.items():
        more = (other.removeprefix("Input should be ") for other in others)
        yield FieldError(" or ".join((detail, *more)), place)


def _detail(item: ErrorDetails, known: list[str]) -> str:
    if item["type"] == "union_tag_not_found":
        return "Field required"
    if item["type"] != "extra_forbidden":
        return item["msg"]
    near = difflib.get_close_matches(str(item["loc"][-1]), known, 1)
    return "unknown key" + (f"; did you mean {near[0]}?" if near else "")


def _place(item: ErrorDetails, body: Any) -> list[int | str]:
    """Where the wrong value is in the body: pydantic's location, without the names of the members
    of a union that it tried."""
    place: list[int | str] = []
    value = body
    *way, last = item["loc"] or ("",)
    for part in way:
        if value is item["input"]:
            break
        if isinstance(value, Mapping) and (part not in value or part == value.get("type")):
            continue
        place.append(part)
        value = value[part]
    if item["type"] == "missing" or value is not item["input"]:
        place.append(last)
    if item["type"].startswith("union_tag_"):
        place.append(item["ctx"]["discriminator"].strip("'"))
    return place


def _check_values(
    value: Any, place: tuple[str | int, ...], free_text: frozenset[str]
) -> Iterator[FieldError]:
    """Refuse what no field may hold: control characters, broken Unicode, numbers beyond a double,
    endless nesting."""
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
                yield from _check_values(item, (*place, key), free_text)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _check_values(item, (*place, index), free_text)
    elif isinstance(value, int | float) and not abs(value) <= sys.float_info.max:
        yield FieldError("the number is out of range", pointer(*place))


def _wrong_character(text: str, allowed: frozenset[str]) -> str | None:
    for character in text:
        code = ord(character)
        if 0xD800 <= code <= 0xDFFF:
            return "a lone surrogate (broken Unicode)"
        if (code < 0x20 or 0x7F <= code <= 0x9F) and character not in allowed:
            return f"the control character U+{code:04X}"
    return None
