"""The types of what is to be found out, as people write them, and the JSON Schema that each stands
for.

A type is a name or another name of it (`boolean`, `bool`), a list of one (`string[]`,
`array of numbers`), one that may be null (`string | null`, `optional string`: every field may) or
must be said (`required string`), several (`number | string`, `["number", "string"]`), choices
(`yes | no`, `["yes", "no"]`), one of these with what it means (`date: the new day`,
`integer from 1 to 5`, `string (first name)`), or that alone (`the new day`). Or it is an object:
of JSON Schema, or of fields with types of their own.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from api.base.problems import FieldError, pointer

MAX_CHOICES: Final = 64
MAX_TEXT: Final = 500
#: Objects and lists within each other.
MAX_DEPTH: Final = 5
_MAX_NAME: Final = 128

#: Type name to the JSON Schema of a value that was said.
SCHEMAS: Final[Mapping[str, Mapping[str, Any]]] = {
    "string": {"type": "string"},
    "number": {"type": "number"},
    "integer": {"type": "integer"},
    "boolean": {"type": "boolean"},
    "date": {"type": "string", "format": "date"},
    "datetime": {"type": "string", "format": "date-time"},
}
FORMATS: Final = frozenset({"date", "date-time"})
_TRUTHS: Final = tuple(
    one + sign + other
    for one, other in (("true", "false"), ("false", "true"))
    for sign in ("/", " / ", "|", " | ", " or ")
)
_OTHER_NAMES: Final[Mapping[str, str]] = {
    **dict.fromkeys(("text", "str", "varchar", "char"), "string"),
    **dict.fromkeys(("num", "float", "double", "decimal", "numeric", "real"), "number"),
    **dict.fromkeys(("int", "long", "bigint", "whole number"), "integer"),
    **dict.fromkeys(("bool", *_TRUTHS), "boolean"),
    **dict.fromkeys(("date-time", "date time", "timestamp", "date and time"), "datetime"),
}
_ARRAYS: Final = frozenset({"array", "list"})
_NULLS: Final = frozenset({"null", "none", "nil", "undefined"})
#: Of an object that is read as JSON Schema; the texts among them are told to the model.
_KEYWORDS: Final = frozenset(
    {
        *("type", "enum", "const", "items", "properties", "anyOf", "oneOf", "format"),
        *("description", "title", "examples", "required", "nullable", "additionalProperties"),
    }
)
KNOWN: Final = (
    f"known types are {', '.join(SCHEMAS)}, a list of one of them (`string[]`), a list of choices, "
    "an object of fields with types, and an object with `type` (also `array` with `items`, "
    "`object` with `properties`), `enum`, `description` and `required`"
)

_OPTIONAL = re.compile(
    r"(?:optional|nullable)\s*\[(.+)\]|(?:optional|nullable)\s+(.+)|(.+?)\s+(?:optional|nullable)"
    r"|(.+?)\?+|\?+(.+)",
    re.IGNORECASE,
)
#: What a type may be instead, and is then null.
_OR_NULL = re.compile(
    r"(.+?)(?:\s+or\s+|\s*[|/]\s*)(?:null|none|nil|undefined|n/a|unknown|empty|nothing)",
    re.IGNORECASE,
)
#: What a type's name says of itself, and changes nothing.
_STANDARD = re.compile(r"^(?:iso(?:[ -]?8601)?|rfc[ -]?3339)[ -](?=date)|^iso[ -]?8601 (?=time)")
_LIST_OF = re.compile(
    r"(?:array|list|sequence|set)\s*"
    r"(?:\[(.+)\]|<(.+)>|\(\s*(?:of\s+)?(.+)\)|\s+of\s+(.+))|(.+?)\s*\[\s*\]",
    re.IGNORECASE,
)
_CHOICE_OF = re.compile(r"(?:enum|one of|choice of)\s*:?\s*[(\[{]?([^)\]}]+)[)\]}]?", re.IGNORECASE)
#: Of a type that must be said: before it, and behind it.
_REQUIRED_FIRST = re.compile(r"required\b[\s:,]+(.+)", re.IGNORECASE | re.DOTALL)
_REQUIRED = re.compile(
    r"\s*(?:[,;]\s*|\(\s*|\s)required(?:\s*\)|\s*(?=[:,;.(])|\s+(?=[-–—]+\s)|\Z)", re.IGNORECASE
)
#: Where a type may end, and by which sign what it means begins.
_CUT = re.compile(r"\s*([:,;.=(])\s*|\s+([-–—]+)\s+|\s+")
_OF = re.compile(r"\Aof\s+", re.IGNORECASE)
_IF_TRUE = re.compile(r"true\s+(?:if|when|where|unless)\s", re.IGNORECASE)
#: Names of types that stand before other nouns as well.
_ADJECTIVES: Final = frozenset({"long", "double", "real", "char", "numeric", "num"})
#: What may be something else is no more than a text.
_OTHERWISE = re.compile(r"(?:or|and)\b|[|/&]", re.IGNORECASE)
#: Choices after, and before, what they mean.
_HEADED = re.compile(r"([^:]+):\s+(.+)", re.DOTALL)
_FOLLOWED = re.compile(r"(.+?)(?::\s+|\s*\(|\s+[-–—]+\s+)(.+?)\)?\s*", re.DOTALL)
_OR = re.compile(r"\s+or\s+|/", re.IGNORECASE)
_QUOTES: Final = "'\"`“”‘’"


class TypeFaultError(ValueError):
    """A type is not understood; the message says why."""

    def __init__(self, detail: str, *path: str) -> None:
        super().__init__(detail)
        self.path = path
        """From the type to what is wrong in it."""


def check_type(wanted: Any, place: tuple[str, ...]) -> Iterator[FieldError]:
    """What is wrong with a type.

    Args:
        wanted: the type.
        place: where it is in the request.
    """
    try:
        schema_of(wanted)
    except TypeFaultError as fault:
        yield FieldError(str(fault), pointer(*place, *fault.path))


def told_type(wanted: Any) -> Any:
    """How a language model is told of a type: by the one name of those that have several."""
    if isinstance(wanted, str):
        schema = schema_of(wanted)
        return next((name for name, plain in SCHEMAS.items() if plain == schema), wanted)
    return wanted


def schema_of(wanted: Any, depth: int = 0) -> dict[str, Any]:
    """The JSON Schema of a value that was said. Raises TypeFaultError."""
    if depth > MAX_DEPTH:
        raise TypeFaultError(f"at most {MAX_DEPTH} levels")
    if isinstance(wanted, str):
        return _of_text(wanted, depth)
    if isinstance(wanted, list):
        return _of_list(wanted, depth)
    if not isinstance(wanted, dict) or not wanted:
        raise TypeFaultError(f"not a type; {KNOWN}")
    return _of_keywords(wanted, depth) if has_keywords(wanted) else _of_fields(wanted, depth)


def is_required(wanted: Any) -> bool:
    """Whether a type itself says that it must be said."""
    if isinstance(wanted, str):
        text = wanted.strip()
        return _without_required(text) != text
    return isinstance(wanted, Mapping) and wanted.get("required") is True


def required_type(wanted: Any) -> Any:
    """How a language model is told of a type that must be said."""
    if isinstance(wanted, str):
        return {**schema_of(wanted), "required": True}
    if isinstance(wanted, dict) and has_keywords(wanted):
        return wanted if wanted.get("required") else {**wanted, "required": True}
    return wanted


def fields_of(schema: Mapping[str, Any]) -> int:
    """How many fields the objects in a schema have."""
    properties = schema.get("properties", {})
    below = [*properties.values(), *schema.get("anyOf", ())]
    if "items" in schema:
        below.append(schema["items"])
    return len(properties) + sum(map(fields_of, below))


def nullable(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of a value that may not have been said."""
    if "enum" in schema:
        choices = schema["enum"]
        return {**schema, "enum": choices if None in choices else [*choices, None]}
    return {"anyOf": [schema, {"type": "null"}]}


def object_schema(properties: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The schema of an object with every one of its fields, each with a value or null."""
    return {
        "type": "object",
        "properties": {name: nullable(schema) for name, schema in properties.items()},
        "required": list(properties),
        "additionalProperties": False,
    }


# -- texts -----------------------------------------------------------------------------------------


def _of_text(text: str, depth: int) -> dict[str, Any]:
    text = text.strip()
    if len(text) > MAX_TEXT:
        raise TypeFaultError(f"at most {MAX_TEXT} characters")
    schema = _of_type(_without_required(text), depth)
    if schema is not None:
        return schema
    if " " in text and any(map(str.isalpha, text)) and not set(text) & set("|<>[]{}"):
        return {"type": "string", "description": text}
    raise TypeFaultError(f"unknown type {text[:40]!r}; {KNOWN}")


def _of_type(text: str, depth: int = 0) -> dict[str, Any] | None:
    """The schema of a text that is or begins with the name of a type, or is choices; else None."""
    if (schema := _of_name(text, depth)) is None and (schema := _choices_in(text)) is None:
        schema = _beginning(text, depth)
    return schema


def _without_required(text: str) -> str:
    """The text of a type without the word that it must be said; as it is where there is none."""
    if (match := _REQUIRED_FIRST.fullmatch(text)) and _of_type(match[1]) is not None:
        return match[1]
    if match := _REQUIRED.search(text):
        before = text[: match.start()]
        if "(" in match[0] or (_of_name(before) or _choices_in(before)) is not None:
            return before + text[match.end() :]
    return text


def _of_name(text: str, depth: int = 0, *, plural: bool = False) -> dict[str, Any] | None:
    """The schema of the name of a type, of lists of it and of what may be null; else None."""
    if depth > MAX_DEPTH:
        raise TypeFaultError(f"at most {MAX_DEPTH} levels")
    text = text.strip()
    name = _STANDARD.sub("", " ".join(text.lower().split()))
    for form in (name, name.removesuffix("s")) if plural else (name,):
        if (known := SCHEMAS.get(_OTHER_NAMES.get(form, form))) is not None:
            return dict(known)
    if name in _ARRAYS:
        return {"type": "array", "items": {"type": "string"}}
    if match := _OPTIONAL.fullmatch(text) or _OR_NULL.fullmatch(text):
        return _of_name(_found(match), depth)
    if match := _LIST_OF.fullmatch(text):
        items = _of_name(_found(match).strip("()"), depth + 1, plural=True)
        return None if items is None else {"type": "array", "items": items}
    parts = text.split("|") if "|" in text else _OR.split(text)
    said = [part for part in parts if part.strip().lower() not in _NULLS]
    if len(parts) == 1 or not said:
        return None
    schemas = [schema for part in said if (schema := _of_name(part, depth)) is not None]
    return _union(schemas) if len(schemas) == len(said) else None


def _union(schemas: list[dict[str, Any]]) -> dict[str, Any]:
    return schemas[0] if len(schemas) == 1 else {"anyOf": schemas}


def _beginning(text: str, depth: int, *, plural: bool = False) -> dict[str, Any] | None:
    """The schema of the longest name of a type that a text begins with, described by what follows;
    else None."""
    if _IF_TRUE.match(text):
        return {"type": "boolean", "description": text}
    for match in reversed([*_CUT.finditer(text)]):
        name, sign, rest = text[: match.start()], match[1], text[match.end() :].strip()
        schema = _of_name(name, depth, plural=plural)
        if schema is None or (not sign and not _goes_on(name, rest)):
            continue
        meaning = rest[:-1] if sign == "(" and rest.endswith(")") else rest
        if name.strip().lower() in _ARRAYS:
            items = _beginning(f"{_OF.sub('', meaning)}:", depth + 1, plural=True)
            if items is not None:
                return items if items["type"] == "array" else {"type": "array", "items": items}
        return schema | {"description": meaning} if meaning else schema
    return None


def _goes_on(name: str, rest: str) -> bool:
    """Whether a type's name is one in a sentence that goes on with `rest`."""
    if name.strip().lower() in _ARRAYS:
        return _OF.match(rest) is not None
    return name.strip().lower() not in _ADJECTIVES and _OTHERWISE.match(rest) is None


def _choices_in(text: str) -> dict[str, Any] | None:
    """The schema of choices in a text, none of which is the name of a type; else None."""
    match = _CHOICE_OF.fullmatch(text)
    if match is None and "|" not in text:
        return None
    meaning = None
    if match:
        parts = re.split(r"[|,]", match[1])
    else:
        parts = text.split("|")
        parts, meaning = _without_meaning(parts)
    words = [part.strip().strip(_QUOTES).strip() for part in parts]
    choices = [word for word in words if word.lower() not in _NULLS]
    if not choices or any(not word or _of_name(word) is not None for word in choices):
        return None
    schema: dict[str, Any] = {"enum": _checked_choices(choices)}
    return schema | {"description": meaning} if meaning else schema


def _without_meaning(parts: list[str]) -> tuple[list[str], str | None]:
    """Choices, and what they mean together if one of them alone is followed or headed by that."""
    first, *others = parts
    if (match := _HEADED.fullmatch(first)) and not any(map(_HEADED.fullmatch, others)):
        return [match[2], *others], match[1].strip()
    *others, last = parts
    if (match := _FOLLOWED.fullmatch(last)) and not any(map(_FOLLOWED.fullmatch, others)):
        return [*others, match[1]], match[2].strip()
    return parts, None


def _found(match: re.Match[str]) -> str:
    return next(group for group in match.groups() if group is not None)


# -- lists and objects -----------------------------------------------------------------------------


def _of_list(wanted: list[Any], depth: int) -> dict[str, Any]:
    """A list of choices, or around the one type of a list's items."""
    said = [one for one in wanted if one is not None and one != "null"]
    if len(wanted) > 1 and said and all(isinstance(one, str) for one in said):
        schemas = [schema for one in said if (schema := _of_name(one, depth)) is not None]
        if len(schemas) == len(said):
            return _union(schemas)
    if len(wanted) == 1:
        (item,) = wanted
        if isinstance(item, dict) or (isinstance(item, str) and _of_name(item) is not None):
            return {"type": "array", "items": _below(item, depth, "0")}
    return {"enum": _checked_choices(wanted)}


def _checked_choices(choices: Any) -> list[Any]:
    if (
        isinstance(choices, list)
        and 0 < len(choices) <= MAX_CHOICES
        and all(_is_choice(choice) for choice in choices)
        and len({(type(choice), choice) for choice in choices}) == len(choices)
        and choices != [None]
    ):
        return list(choices)
    raise TypeFaultError(f"1 to {MAX_CHOICES} different texts to choose from")


def _is_choice(choice: Any) -> bool:
    if isinstance(choice, str):
        return 0 < len(choice) <= MAX_TEXT
    return choice is None or isinstance(choice, bool | int | float)


def has_keywords(wanted: Mapping[str, Any]) -> bool:
    """Whether an object is one of JSON Schema rather than fields with types."""
    if wanted.keys() & {"type", "enum", "const", "properties", "anyOf", "oneOf"}:
        return True
    return wanted.keys() <= _KEYWORDS and bool(wanted.keys() & {"description", "items", "format"})


def _of_fields(fields: Mapping[str, Any], depth: int) -> dict[str, Any]:
    for name in fields:
        if not 0 < len(name) <= _MAX_NAME:
            raise TypeFaultError(f"a field's name has 1 to {_MAX_NAME} characters", name)
    return object_schema({name: _below(one, depth, name) for name, one in fields.items()})


def _of_keywords(wanted: Mapping[str, Any], depth: int) -> dict[str, Any]:
    for key in wanted:
        if key not in _KEYWORDS:
            raise TypeFaultError(f"unknown key; {KNOWN}", key)
    schema = _kind_of(wanted, depth)
    if (form := wanted.get("format")) is not None:
        if form not in FORMATS:
            raise TypeFaultError("known formats are date and date-time", "format")
        if schema.get("type") != "string":
            raise TypeFaultError("only of the type string", "format")
        schema["format"] = form
    for key in ("title", "description"):
        text = wanted.get(key, "")
        if not isinstance(text, str) or len(text) > MAX_TEXT:
            raise TypeFaultError(f"a text of up to {MAX_TEXT} characters", key)
    if "description" in wanted:
        schema["description"] = wanted["description"]
    required = wanted.get("required", False)
    if not isinstance(required, bool) and not (
        isinstance(required, list)
        and all(isinstance(name, str) and name in schema.get("properties", {}) for name in required)
    ):
        raise TypeFaultError("true or false", "required")
    for key in ("nullable", "additionalProperties"):
        if not isinstance(wanted.get(key, False), bool):
            raise TypeFaultError("true or false", key)
    return schema


def _kind_of(wanted: Mapping[str, Any], depth: int) -> dict[str, Any]:
    """The schema without what annotates it."""
    for key in ("anyOf", "oneOf"):
        if key in wanted:
            return _any_of(wanted[key], depth, key)
    if "const" in wanted:
        return {"enum": _choices_at([wanted["const"]], "const")}
    kind = wanted.get("type")
    if "enum" in wanted and (kind is None or isinstance(kind, list) or _of_name(str(kind))):
        return {"enum": _choices_at(wanted["enum"], "enum")}
    if kind is None:
        kind = next((k for k, of in _IMPLIED.items() if of in wanted), "string")
    if isinstance(kind, list):
        kinds = [one for one in kind if one != "null"]
        if len(kinds) != 1:
            return _any_of(kinds, depth, "type")
        (kind,) = kinds
    if kind == "object":
        fields = wanted.get("properties")
        if not isinstance(fields, dict) or not fields:
            raise TypeFaultError(f"needs `properties`, its fields with types; {KNOWN}", "type")
        try:
            return _of_fields(fields, depth)
        except TypeFaultError as fault:
            raise TypeFaultError(str(fault), "properties", *fault.path) from None
    if isinstance(kind, str) and kind.lower() in _ARRAYS:
        return {"type": "array", "items": _below(wanted.get("items", "string"), depth, "items")}
    found = _of_name(kind, depth) if isinstance(kind, str) else None
    if found is None:
        raise TypeFaultError(f"unknown type; {KNOWN}", "type")
    for key in ("items", "properties"):
        if key in wanted:
            raise TypeFaultError(f"not of the type {kind[:40]!r}", key)
    return found


#: What a schema without `type` is, by a keyword that it has.
_IMPLIED: Final[Mapping[str, str]] = {"object": "properties", "array": "items"}


def _any_of(options: Any, depth: int, key: str) -> dict[str, Any]:
    if not isinstance(options, list):
        raise TypeFaultError(f"a list of types; {KNOWN}", key)
    schemas = []
    for index, option in enumerate(options):
        if option in ("null", {"type": "null"}):
            continue
        try:
            schemas.append(_below(option, depth, str(index)))
        except TypeFaultError as fault:
            raise TypeFaultError(str(fault), key, *fault.path) from None
    if not schemas:
        raise TypeFaultError(f"a list of types; {KNOWN}", key)
    return _union(schemas)


def _choices_at(choices: Any, key: str) -> list[Any]:
    try:
        return _checked_choices(choices)
    except TypeFaultError as fault:
        raise TypeFaultError(str(fault), key) from None


def _below(wanted: Any, depth: int, key: str) -> dict[str, Any]:
    try:
        return schema_of(wanted, depth + 1)
    except TypeFaultError as fault:
        raise TypeFaultError(str(fault), key, *fault.path) from None
