"""Every place of a request's body, by its schema in the OpenAPI document, and what may be tried
there: values of every type, and those at and just past each limit."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Final

from jsonschema import Draft202012Validator

from api.base.problems import pointer
from api.compat.endpoints import ENDPOINTS
from api.http.openapi import openapi_document

Path = tuple[str | int, ...]
Schema = Mapping[str, Any]

DOCUMENT: Final = openapi_document(ENDPOINTS)
_DEFINITIONS: Final = DOCUMENT["components"]["schemas"]
_REF: Final = "#/components/schemas/"

#: One of each JSON type, whole and other numbers apart.
SAMPLES: Final[tuple[Any, ...]] = (None, True, 7, 0.5, "text", "", [], {})
NO_SUCH_KEY: Final = "no_such_key"


@dataclass(frozen=True)
class Place:
    """A place in a body."""

    path: Path
    field: str
    """`Schema.property`; items of a list have `[]` behind it."""
    schemas: tuple[Schema, ...]
    """What may stand there, one of these."""
    value: Any
    """What stands there in a body that is accepted."""

    @property
    def pointer(self) -> str:
        """JSON pointer."""
        return pointer(*self.path)

    def allows(self, value: Any) -> bool:
        """Whether the document allows `value` here."""
        return any(_validator(schema).is_valid(value) for schema in self.schemas)


@dataclass(frozen=True)
class Wrong:
    """A change that makes a body one that the document does not allow."""

    place: Place
    value: Any
    at: str
    """JSON pointer to what is then wrong."""


def body_schema(method: str, path: str) -> Schema:
    """Of an operation of the document."""
    operation = DOCUMENT["paths"][path][method.lower()]
    schema: Schema = operation["requestBody"]["content"]["application/json"]["schema"]
    return schema


#: What a browser offers is no value of a field's: `tests/api/routes/test_web_calls.py` tries those.
OFFERED: Final = ("/v1/web_calls", "/v1/web_call_offers", "/v1/calls/{call_id}/listen")


def operations() -> Iterator[tuple[str, str]]:
    """Method and path of those that take JSON."""
    for path, item in DOCUMENT["paths"].items():
        for method, operation in item.items():
            takes = "application/json" in operation.get("requestBody", {}).get("content", {})
            if takes and path not in OFFERED:
                yield method.upper(), path


def fields_below(schema: Schema) -> set[str]:
    """Every `Schema.property` that a body of this schema may hold."""
    found: set[str] = set()
    waiting = [schema]
    while waiting:
        for one in _alternatives(waiting.pop()):
            for name, inner in one.get("properties", {}).items():
                field = f"{_name(one)}.{name}"
                if field not in found:
                    found.add(field)
                    waiting.append(inner)
            if isinstance(inner := one.get("items"), Mapping):
                waiting.append(inner)
    return found


def limits_of(field: str) -> Schema:
    """What the document says of the values of a `Schema.property` that are not null; where several
    schemas have the title, what all of them say."""
    title, name = field.split(".")
    schemas = [one for one in _DEFINITIONS.values() if one["title"] == title]
    first, *others = [
        _limits(one["properties"][name]) for one in schemas if name in one["properties"]
    ]
    return {
        limit: value
        for limit, value in first.items()
        if all(other.get(limit) == value for other in others)
    }


def _limits(schema: Schema) -> Schema:
    (taken,) = (one for one in _alternatives(schema) if one.get("type") != "null")
    return {name: value for name, value in taken.items() if name in _LIMITS}


_LIMITS: Final = frozenset(
    {"minimum", "exclusiveMinimum", "maximum", "minLength", "maxLength", "enum", "const"}
    | {"pattern", "format"}
)


def places(schema: Schema, body: Any, path: Path = (), field: str = "") -> Iterator[Place]:
    """Every place of `body`, from the outside in."""
    schemas = tuple(_alternatives(schema))
    yield Place(path, field, schemas, body)
    if isinstance(body, Mapping):
        taken = _taken(schemas, body)
        more = taken.get("additionalProperties")
        for key, value in body.items():
            if (inner := taken.get("properties", {}).get(key)) is not None:
                yield from places(inner, value, (*path, key), f"{_name(taken)}.{key}")
            elif isinstance(more, Mapping):
                yield from places(more, value, (*path, key), f"{field}{{}}")
    elif isinstance(body, list):
        (items,) = (one["items"] for one in schemas if "items" in one)
        for index, value in enumerate(body):
            yield from places(items, value, (*path, index), f"{field}[]")


def wrongs(place: Place) -> Iterator[Wrong]:
    """What the document does not allow at a place."""
    whole = isinstance(place.value, Mapping)  # of an empty one, each key is wrong: see below
    for value in _candidates(place):
        if not (place.allows(value) or (whole and value == {})):
            yield Wrong(place, value, place.pointer)
    for schema in place.schemas:
        for form in _FORMS.get(schema.get("format", ""), ()):
            yield Wrong(place, form, place.pointer)
    if not whole:
        return
    taken = _taken(place.schemas, place.value)
    if taken.get("additionalProperties") is False:
        at = pointer(*place.path, NO_SUCH_KEY)
        yield Wrong(place, {**place.value, NO_SUCH_KEY: 1}, at)
    for key in taken.get("required", ()):
        rest = {name: value for name, value in place.value.items() if name != key}
        yield Wrong(place, rest, pointer(*place.path, key))


def rights(place: Place) -> list[Any]:
    """What the document allows at a place, the edges of each limit among it; but for lists of many
    items, which would be the same one."""
    found: list[Any] = []
    for value in _candidates(place):
        if isinstance(value, list) and len(value) > 1:
            continue
        if place.allows(value) and not any(_same(value, other) for other in found):
            found.append(value)
    return found


def with_value(body: Any, path: Path, value: Any) -> Any:
    """A copy of a body with another value at a place."""
    if not path:
        return value
    changed = deepcopy(body)
    inner = changed
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    return changed


def _same(one: Any, other: Any) -> bool:
    return json.dumps(one) == json.dumps(other)


_FORMS: Final[Mapping[str, Iterable[Any]]] = {
    "date-time": ("tomorrow", "2027-13-01T00:00:00Z"),
    "uuid": ("no-uuid",),
    "uri": ("no uri",),
}


def _candidates(place: Place) -> Iterator[Any]:
    yield from SAMPLES
    for schema in place.schemas:
        yield from _of_schema(schema, place.value)


def _of_schema(schema: Schema, value: Any) -> Iterator[Any]:
    step = 1 if schema.get("type") == "integer" else 0.01
    for name, sign in (("minimum", -1), ("maximum", 1)):
        if (limit := schema.get(name)) is not None:
            # Beyond 2^53 a float has no hundredths.
            yield from (limit, limit + sign * (step if abs(limit) < 2**50 else 2.0))
    if (limit := schema.get("exclusiveMinimum")) is not None:
        yield from (limit, limit + step)
    for name, by in (("minLength", -1), ("maxLength", 1)):
        if (limit := schema.get(name)) is not None:
            yield from ("x" * length for length in (limit, limit + by) if length >= 0)
    yield from schema.get("enum", ())
    if "const" in schema:
        yield schema["const"]
    if schema.keys() & {"enum", "const", "pattern"}:
        yield from ("no-such-member", "")
    if isinstance(value, list) and value:
        for name, by in (("minItems", -1), ("maxItems", 1)):
            if (limit := schema.get(name)) is not None:
                yield from (value[:1] * length for length in (limit, limit + by))


def _alternatives(schema: Schema) -> Iterator[Schema]:
    """The schemas that it stands for."""
    if "$ref" in schema:
        yield from _alternatives(_DEFINITIONS[schema["$ref"].removeprefix(_REF)])
        return
    several = schema.get("anyOf") or schema.get("oneOf")
    if several is None:
        yield schema
        return
    for one in several:
        yield from _alternatives(one)


def _taken(schemas: tuple[Schema, ...], value: Mapping[str, Any]) -> Schema:
    """The object schema that an object follows."""
    objects = [one for one in schemas if one.get("type") == "object"]
    fitting = [one for one in objects if _validator(one).is_valid(value)]
    assert len(fitting) == 1, (value, [one.get("title") for one in objects])
    return fitting[0]


def _name(schema: Schema) -> str:
    return str(schema["title"])


_validators: Final[dict[str, Draft202012Validator]] = {}


def _validator(schema: Schema) -> Draft202012Validator:
    key = json.dumps(schema, sort_keys=True)
    if key not in _validators:
        rooted = {"components": DOCUMENT["components"], **schema}
        _validators[key] = Draft202012Validator(rooted)
    return _validators[key]


def error_pointers(path: str, answer: Any) -> list[str]:
    """JSON pointers of a refusal, as the dialect of the path tells them."""
    if path.startswith("/compat/callingbox/"):
        first = re.match(r"(/[^:]*|body): ", answer["error"])
        assert first is not None, answer
        return ["" if first[1] == "body" else first[1]]
    if path.startswith("/compat/oneinbox/"):
        return [pointer(*one["loc"][1:]) for one in answer["detail"]]
    told = answer["error"] if path.startswith("/api/") else answer
    return [one["pointer"] for one in told["errors"]]
