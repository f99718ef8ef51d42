"""A form made of an endpoint's own model, and the body that is made of the form."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, Literal

from pydantic import BaseModel

from api.base.problems import FieldError, Problem, pointer
from api.http.body import parse_json

Kind = Literal["line", "text", "number", "choice", "flag", "json"]

#: Longer texts are written in several lines.
_LINE: Final = 300


@dataclass(frozen=True)
class Input:
    """One value of a form."""

    path: tuple[str, ...]
    """Where it is in the body: a field, or one of an object's."""
    kind: Kind
    description: str
    choices: tuple[str, ...] = ()
    required: bool = False
    nullable: bool = True

    @property
    def name(self) -> str:
        """Of the form's field."""
        return ".".join(self.path)

    @property
    def id(self) -> str:
        """Of the form's element."""
        return "--".join(self.path)

    def shown(self, thing: Mapping[str, Any] | None) -> str:
        """The text that stands for the value that `thing` has."""
        value: Any = thing
        for part in self.path:
            value = value.get(part) if isinstance(value, Mapping) else None
        if value is None:
            return ""
        if self.kind == "json":
            return json.dumps(value, indent=2, ensure_ascii=False) if value else ""
        return json.dumps(value) if isinstance(value, bool | int | float) else str(value)

    def read(self, text: str) -> Any:
        """The value that a text stands for; None of an empty one. Raises ValueError."""
        if not text.strip():
            return None
        match self.kind:
            case "flag":
                return text == "true"
            case "number":
                return _number(text.strip())
            case "json":
                try:
                    return parse_json(text.encode())
                except (Problem, UnicodeEncodeError) as error:
                    raise ValueError(str(error)) from error
            case "text":
                return text
        return text.strip()


def _number(text: str) -> Any:
    """As it is where it is none: the endpoint says what it wants."""
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        return text


@cache
def inputs_of(model: type[BaseModel]) -> tuple[Input, ...]:
    """What a form for this body has, in the model's order."""
    schema = model.model_json_schema()
    return tuple(_inputs((), schema, schema.get("$defs", {})))


def _inputs(
    path: tuple[str, ...], schema: Mapping[str, Any], defs: Mapping[str, Any]
) -> Iterator[Input]:
    for name, told in schema["properties"].items():
        found, nullable = _resolved(told, defs)
        here = (*path, name)
        if found.get("properties") and not path:
            yield from _inputs(here, found, defs)
            continue
        yield Input(
            here,
            _kind(name, found),
            told.get("description") or found.get("description") or "",
            tuple(map(str, found.get("enum", ()))),
            name in schema.get("required", ()) and not path,
            nullable,
        )


def _resolved(told: Mapping[str, Any], defs: Mapping[str, Any]) -> tuple[Mapping[str, Any], bool]:
    """A schema without references, and whether it may be null."""
    if (ref := told.get("$ref")) is not None:
        return _resolved(defs[ref.rpartition("/")[2]], defs)
    if (listed := told.get("anyOf")) is not None:
        others = [one for one in listed if one.get("type") != "null"]
        nullable = len(others) < len(listed)
        if len(others) == 1:
            found, deeper = _resolved(others[0], defs)
            return found, nullable or deeper
        plain = all(one.get("type") in {"string", "number", "integer"} for one in others)
        return {"type": "string" if plain else "object"}, nullable
    return told, False


def _kind(name: str, schema: Mapping[str, Any]) -> Kind:
    if "enum" in schema:
        return "choice"
    match schema.get("type"):
        case "boolean":
            return "flag"
        case "integer" | "number":
            return "number"
        case "string":
            return "text" if schema.get("maxLength", 0) > _LINE and "url" not in name else "line"
    return "json"


def body_of(
    inputs: Sequence[Input], sent: Mapping[str, str], current: Mapping[str, Any] | None
) -> dict[str, Any]:
    """The body of a request. Raises Problem with a pointer to each value that cannot be read.

    Args:
        inputs: of the form.
        sent: what was sent.
        current: what is to be changed: only what differs is in the body. None: it is made.
    """
    body: dict[str, Any] = {}
    errors = []
    for one in inputs:
        text = sent.get(one.name)
        if text is None or text == one.shown(current):
            continue
        try:
            value = one.read(text)
        except ValueError as error:
            errors.append(FieldError(str(error), pointer(*one.path)))
            continue
        if value is None and current is not None and not one.nullable:
            value = {"line": "", "text": "", "json": []}.get(one.kind)
        if value is not None or current is not None:
            _put(body, one.path, value, current or {})
    if errors:
        raise Problem(422, "malformed_form", errors[0].detail, errors)
    return body


def _put(
    body: dict[str, Any], path: tuple[str, ...], value: Any, current: Mapping[str, Any]
) -> None:
    """Set a value; an object is sent whole, or as null where nothing is left of it."""
    if len(path) == 1:
        body[path[0]] = value
        return
    first, name = path
    whole = {**(body.get(first, current.get(first)) or {}), name: value}
    body[first] = {key: one for key, one in whole.items() if one is not None} or None


def errors_at(inputs: Sequence[Input], problem: Problem) -> tuple[dict[str, str], list[str]]:
    """What is wrong by the name of a form's field, and what belongs to none of them."""
    at: dict[str, str] = {}
    others = []
    for error in problem.errors:
        place = tuple((error.pointer or "").split("/")[1:])
        found = next((one for one in inputs if place[: len(one.path)] == one.path), None)
        found = found or next((one for one in inputs if place[:1] == one.path[:1] != ()), None)
        if found is None:
            others.append(f"{'/'.join(place)} {error.detail}".strip())
            continue
        deeper = "/".join(place[len(found.path) :])
        told = f"{deeper}: {error.detail}" if deeper else error.detail
        at[found.name] = f"{at[found.name]}; {told}" if found.name in at else told
    if not problem.errors:
        others.append(problem.detail)
    return at, others
