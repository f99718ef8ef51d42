"""JSON Schema to GBNF, llama.cpp's grammar language: what a structured reply may look like.

llama-cpp-python has a converter of its own; it lets raw line breaks into strings (so the reply is
no JSON) and passes a quote in an enum's text on as grammar. Here texts become literals that
cannot end early, rule names are never made of them, strings and arrays have a bound (a small model
does not always stop by itself), and a keyword that the grammar would not enforce is refused.

The form is `json.dumps`'s own: one space after a colon and a comma, no other white space, and the
properties in the schema's order.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from voice_loop.ports import EngineError
from voice_loop.prompts import TOOL_CALL_CLOSE
from voice_loop.tools import END_CALL_TOOL, ToolSpec

#: Bounds where the schema sets none, and the most that it may set.
MOST_CHARACTERS: Final = 400
MOST_ITEMS: Final = 16

#: Keywords that say nothing about the form.
_ANNOTATIONS: Final = frozenset({"description", "title", "default", "examples", "$schema", "$id"})

# A date is not checked for 30 February: the schema's `format` does not promise that either.
_DATE: Final = '[12] [0-9]{3} "-" ("0" [1-9] | "1" [0-2]) "-" ("0" [1-9] | [12] [0-9] | "3" [01])'
_HOUR: Final = '([01] [0-9] | "2" [0-3])'
_TIME: Final = f'{_HOUR} ":" [0-5] [0-9] ":" [0-5] [0-9] ("Z" | [+-] {_HOUR} ":" [0-5] [0-9])'
_PRIMITIVES: Final[Mapping[str, str]] = {
    # RFC 8259: no control character may stand in a string as itself. \u escapes are left out, for
    # they could make half a surrogate pair.
    "char": r'[^"\\\x00-\x1F\x7F] | "\\" ["\\/bfnrt]',
    "null": '"null"',
    "boolean": '"true" | "false"',
    "integer": '"-"? ("0" | [1-9] [0-9]{0,14})',
    "number": '"-"? ("0" | [1-9] [0-9]{0,14}) ("." [0-9]{1,9})?',
    "date": f'"\\"" {_DATE} "\\""',
    "date-time": f'"\\"" {_DATE} "T" {_TIME} "\\""',
}


#: A `pattern` that is a row of characters and character classes, each with how often it stands.
_PATTERN: Final = re.compile(
    r"(?P<atom>\[[A-Za-z0-9*#+,.: -]+\]|\\[+*.dw]|[A-Za-z0-9#:@, -])"
    r"(?P<times>\{\d{1,3}(?:,\d{1,3})?\}|\?)?"
)
_CLASSES: Final = {r"\d": "[0-9]", r"\w": "[A-Za-z0-9_]"}


def gbnf(schema: Mapping[str, Any]) -> str:
    """The grammar of all JSON texts of a schema.

    Args:
        schema: of `enum`, `const`, `anyOf`, `oneOf` and the types object, array, string, integer,
            number, boolean and null, with `properties`, `required`, `additionalProperties: false`,
            `items`, `minItems`, `maxItems`, `minLength`, `maxLength`, the formats `date` and
            `date-time`, and a `pattern` from `^` to `$` of characters and classes of printable
            ASCII with bounds (`^[0-9*#]{1,32}$`).

    Raises EngineError for anything else.
    """
    grammar = _Grammar()
    try:
        grammar.rules["root"] = grammar.value(schema)
    except (AttributeError, TypeError, ValueError, RecursionError) as error:
        raise _cannot(f"it is not a JSON Schema: {error}") from error
    return grammar.text()


def tool_call_rules(tools: Iterable[ToolSpec]) -> str:
    """The rules of what follows `<tool_call>`: a call of one of the tools, or of `end_call`.

    The rule to begin with is `call`. Models that are trained to write a call on a line of its own
    may.

    Raises EngineError for parameters that `gbnf` does not know.
    """
    known: dict[str, Mapping[str, Any]] = {END_CALL_TOOL: {"type": "object"}}
    known.update((tool.name, tool.parameters) for tool in tools)
    calls = [
        {
            "type": "object",
            "properties": {"name": {"const": name}, "arguments": parameters},
            "required": ["name", "arguments"],
        }
        for name, parameters in known.items()
    ]
    grammar = _Grammar()
    try:
        body = grammar.value({"anyOf": calls})
    except (AttributeError, TypeError, ValueError, RecursionError) as error:
        raise _cannot(f"a tool's parameters are not a JSON Schema: {error}") from error
    line = f"{_text(chr(10))}?"
    grammar.rules["call"] = f"{line} ({body}) {line} {_text(TOOL_CALL_CLOSE)}"
    return grammar.text()


def beginning_with(text: str, rules: str) -> str:
    """The grammar of exactly this text and then `call` of these rules."""
    return f"root ::= {_text(text)} call\n{rules}"


class _Grammar:
    def __init__(self) -> None:
        self.rules: dict[str, str] = {}

    def text(self) -> str:
        """All rules."""
        return "".join(f"{name} ::= {body}\n" for name, body in self.rules.items())

    def value(self, schema: Any) -> str:
        """The right-hand side for one value."""
        if not isinstance(schema, Mapping):
            raise _cannot(f"{schema!r} is no schema")
        for choice in ("anyOf", "oneOf"):
            if choice in schema:
                self._only(schema, choice)
                return self._alternatives(schema[choice])
        if "const" in schema:
            self._only(schema, "const", "type")
            return _literal(schema["const"])
        if "enum" in schema:
            self._only(schema, "enum", "type")
            return " | ".join(_literal(value) for value in schema["enum"])
        kind = schema.get("type")
        if isinstance(kind, Sequence) and not isinstance(kind, str):
            return self._alternatives([_of_type(schema, one) for one in kind])
        if kind == "object":
            return self._object(schema)
        if kind == "array":
            return self._array(schema)
        if kind == "string":
            return self._string(schema)
        if kind in ("null", "boolean", "integer", "number"):
            self._only(schema, "type")
            return self._primitive(kind)
        raise _cannot(f"the type {kind!r} is not known")

    def _alternatives(self, schemas: Sequence[Any]) -> str:
        return " | ".join(self._rule(self.value(schema)) for schema in schemas)

    def _object(self, schema: Mapping[str, Any]) -> str:
        self._only(schema, "type", "properties", "required", "additionalProperties")
        properties = schema.get("properties", {})
        if schema.get("additionalProperties", False) is not False:
            raise _cannot("`additionalProperties` can only be false")
        required = set(schema.get("required", ()))
        if missing := required - set(properties):
            raise _cannot(f"the required {sorted(missing)[0]!r} is not among the properties")
        # From the last to the first: what may follow when something stands before, and when not.
        after, alone = "", ""
        for name, value in reversed(properties.items()):
            pair = f"{_literal(name)} {_text(': ')} {self._rule(self.value(value))} {after}"
            if name in required:
                after, alone = f"{_text(', ')} {pair}", pair
            else:
                rest = self._rule(f"{_text(', ')} {pair} | {after or _text('')}")
                alone = self._rule(f"{pair} | {alone or _text('')}")
                after = rest
        return f"{_text('{')} {alone} {_text('}')}"

    def _array(self, schema: Mapping[str, Any]) -> str:
        self._only(schema, "type", "items", "minItems", "maxItems")
        most = min(int(schema.get("maxItems", MOST_ITEMS)), MOST_ITEMS)
        least = int(schema.get("minItems", 0))
        if not 0 <= least <= most:
            raise _cannot(f"an array of {least} to {most} items")
        if most == 0:
            return _text("[]")
        item = self._rule(self.value(schema.get("items")))
        more = f"({_text(', ')} {item}){{{max(0, least - 1)},{most - 1}}}"
        filled = f"{_text('[')} {item} {more} {_text(']')}"
        return filled if least else f"{_text('[]')} | {filled}"

    def _string(self, schema: Mapping[str, Any]) -> str:
        if "format" in schema:
            self._only(schema, "type", "format")
            if schema["format"] not in ("date", "date-time"):
                raise _cannot(f"the format {schema['format']!r} is not known")
            return self._primitive(schema["format"])
        quote = _text('"')
        if "pattern" in schema:
            self._only(schema, "type", "pattern")
            return f"{quote} {_pattern(schema['pattern'])} {quote}"
        self._only(schema, "type", "minLength", "maxLength")
        most = min(int(schema.get("maxLength", MOST_CHARACTERS)), MOST_CHARACTERS)
        least = int(schema.get("minLength", 0))
        if not 0 <= least <= most:
            raise _cannot(f"a string of {least} to {most} characters")
        return f"{quote} {self._primitive('char')}{{{least},{most}}} {quote}"

    def _primitive(self, name: str) -> str:
        self.rules[name] = _PRIMITIVES[name]
        return name

    def _rule(self, body: str) -> str:
        name = f"rule-{len(self.rules)}"
        self.rules[name] = body
        return name

    @staticmethod
    def _only(schema: Mapping[str, Any], *enforced: str) -> None:
        if unknown := set(schema) - _ANNOTATIONS - set(enforced):
            raise _cannot(f"`{sorted(unknown)[0]}` cannot be enforced here")


def _of_type(schema: Mapping[str, Any], kind: Any) -> dict[str, Any]:
    """One alternative of a list of types: only the keywords that say something about it."""
    if kind in ("null", "boolean", "integer", "number"):
        return {"type": kind}
    return {**schema, "type": kind}


def _pattern(pattern: str) -> str:
    """The GBNF of a regular expression that `_PATTERN` is enough for."""
    inner = pattern.removeprefix("^").removesuffix("$")
    atoms = list(_PATTERN.finditer(inner))
    if f"^{inner}$" != pattern or "".join(atom[0] for atom in atoms) != inner:
        raise _cannot(f"the pattern {pattern!r} cannot be enforced here")
    parts = []
    for atom in atoms:
        what = atom["atom"]
        one = what if what.startswith("[") else _CLASSES.get(what) or _text(what.removeprefix("\\"))
        parts.append(one + (atom["times"] or ""))
    return " ".join(parts)


def _literal(value: Any) -> str:
    """The GBNF of exactly this JSON value. ValueError for half a surrogate pair."""
    json.dumps(value, ensure_ascii=False).encode()
    return _text(json.dumps(value, ensure_ascii=False))


def _text(text: str) -> str:
    """The GBNF of exactly this text."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _cannot(reason: str) -> EngineError:
    return EngineError(f"the result schema cannot be made a grammar: {reason}")
