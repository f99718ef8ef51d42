"""JSON as language models write it: after a sentence, in a fence, with a comma too many, cut."""

import ast
import json
import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any, Final

from jsonschema import Draft202012Validator

from voice_loop.untrusted import read_json

#: Strings, in which brackets mean nothing, and brackets.
_TOKENS: Final = re.compile(
    r'"(?:\\.|[^"\\])*(?:"|\Z)'
    r"|(?<=[\[{(,:= ])'(?:\\.|[^'\\])*(?:'|\Z)"
    r"|[{}\[\]()]",
    re.DOTALL,
)
_BOUNDS: Final = re.compile(r"""["'\\{}\[\]()]""")
#: An apostrophe begins a string only where a value may stand.
_BEFORE_APOSTROPHE: Final = frozenset("[{(,:= ")
_CLOSING: Final[Mapping[str, str]] = {"{": "}", "[": "]", "(": ")"}
#: What may stand last in a text that was cut off: a number could have gone on.
_WHOLE: Final = re.compile(r"""(?:["'}\]{\[]|\b(?:true|false|null|True|False|None))\s*\Z""")
_TRAILING_COMMA: Final = re.compile(r",(?=\s*[}\]])")
_BARE_KEY: Final = re.compile(r"(?<=[{,])(\s*)([A-Za-z_]\w*)(?=\s*:)")
_QUOTES: Final = str.maketrans("“”„", '"""')
#: Beginnings that are tried.
_MOST_TRIED: Final = 64


class Bracket:
    """Finds where the first bracket from `start` on ends, in a text that may still grow."""

    def __init__(self, start: int) -> None:
        self._at = start
        """Before it, everything was looked at."""
        self._depth = 0
        self._quote = ""
        """Of the string that we are in."""

    def end(self, text: str) -> int | None:
        """Index after it; None while it has not ended. Each `text` goes on the one before."""
        while (found := _BOUNDS.search(text, self._at)) is not None:
            char, at = found[0], found.start()
            self._at = found.end()
            if self._quote:
                if char == "\\":
                    self._at += 1
                elif char == self._quote:
                    self._quote = ""
            elif char == '"' or (char == "'" and text[at - 1 : at] in _BEFORE_APOSTROPHE):
                self._quote = char
            elif char in _CLOSING:
                self._depth += 1
            elif char in "}])":
                self._depth -= 1
                if self._depth <= 0:
                    return self._at
        self._at = max(self._at, len(text))
        return None


def closing(text: str, start: int) -> int | None:
    """Where what the bracket at `start` opens has ended; None while it has not."""
    return Bracket(start).end(text)


def values(text: str, brackets: str = "{[") -> Iterator[tuple[int, int, Any]]:
    """The objects and arrays in a text, outermost ones: where each stands, and what it says.

    Args:
        text: of any kind.
        brackets: which ones may begin a value.
    """
    at, tried = 0, 0
    while tried < _MOST_TRIED:
        starts = [found for bracket in brackets if (found := text.find(bracket, at)) >= 0]
        if not starts:
            return
        start, tried = min(starts), tried + 1
        end = closing(text, start)
        try:
            value = read(text[start:end])
        except ValueError:
            at = start + 1
            continue
        at = len(text) if end is None else end
        yield start, at, value


def read(text: str) -> Any:
    """One value. Raises ValueError for what is none, however leniently it is read."""
    try:
        return _strict(text)
    except ValueError as error:
        for mended in _mended(text):
            try:
                return _strict(mended)
            except ValueError:
                continue
        try:
            return _literal(text)
        except ValueError:
            raise error from None


def coerced(value: Any, schema: Mapping[str, Any]) -> Any:
    """`value` with what is written as text taken as what it says, where the schema wants that.

    A property's name may be written with other cases, accents and separators. A null for a
    property that may be left out is left out.
    """
    schema = _meant_schema(value, schema)
    if isinstance(value, Mapping):
        properties, required = schema.get("properties") or {}, schema.get("required") or ()
        value = _named(value, properties)
        taken = {name: coerced(one, properties.get(name) or {}) for name, one in value.items()}
        return {
            name: one
            for name, one in taken.items()
            if one is not None
            or name in required
            or name not in properties
            or _is_valid(None, properties[name])
        }
    if isinstance(value, list):
        return [coerced(one, schema.get("items") or {}) for one in value]
    if not isinstance(value, str) or _is_valid(value, schema):
        return value
    for meant in _meanings(value.strip(), schema):
        if _is_valid(meant, schema):
            return meant
    return value


def _named(value: Mapping[str, Any], properties: Mapping[str, Any]) -> Mapping[str, Any]:
    """`value` by the properties' own names; what may be meant for two of them stays as it is."""
    if value.keys() <= properties.keys():
        return value
    meant: dict[str, list[str]] = {}
    for name in properties.keys() - value.keys():
        meant.setdefault(_plain(name), []).append(name)
    named = dict(value)
    for name in value.keys() - properties.keys():
        match meant.pop(_plain(name), []):
            case [only]:
                named[only] = named.pop(name)
    return named


def _plain(name: str) -> str:
    """The letters and digits of a name, without case and accents."""
    letters = unicodedata.normalize("NFKD", name.casefold())
    return "".join(letter for letter in letters if letter.isalnum())


def _meant_schema(value: Any, schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Of several schemas, the one that an object or a list is to be of."""
    if not isinstance(value, Mapping | list):
        return schema
    kind = "array" if isinstance(value, list) else "object"
    return next((one for one in schema.get("anyOf") or () if one.get("type") == kind), schema)


def _meanings(text: str, schema: Mapping[str, Any]) -> Iterator[Any]:
    yield text
    for option in schema.get("enum") or ():
        if isinstance(option, str) and option.casefold() == text.casefold():
            yield option
    for form in (text, text.lower()):
        try:
            meant = _strict(form)
        except ValueError:
            continue
        yield meant
        if not isinstance(meant, str):
            yield coerced(meant, schema)


def _is_valid(value: Any, schema: Mapping[str, Any]) -> bool:
    return bool(Draft202012Validator(schema).is_valid(value))


def _strict(text: str) -> Any:
    # A line break within a string is what models write, though JSON has it not.
    return read_json(text.lstrip("\ufeff"), strict=False)


def _mended(text: str) -> Iterator[str]:
    text = _TRAILING_COMMA.sub("", text)
    yield text
    if _WHOLE.search(text) is not None and (closed := _closed(text)) is not None:
        text = closed
        yield text
    yield _BARE_KEY.sub(r'\1"\2"', text.translate(_QUOTES))


def _closed(text: str) -> str | None:
    """Add the closing brackets that are missing; None where a string is not closed."""
    wanted: list[str] = []
    for token in _TOKENS.finditer(text):
        if token[0] in "{[(":
            wanted.append(_CLOSING[token[0]])
        elif token[0] in "}])":
            if not wanted or wanted.pop() != token[0]:
                return None
        elif len(token[0]) < 2 or token[0][-1] != token[0][0]:
            return None
    return text + "".join(reversed(wanted))


def _literal(text: str) -> Any:
    """A Python literal, with its values' own types."""
    try:
        value = ast.literal_eval(text.strip())
        return _strict(json.dumps(value))
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError) as error:
        raise ValueError("it is no literal") from error
