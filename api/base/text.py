"""Texts with variables in them, and what is masked in texts."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final

_PLAIN: Final = r"{}|\x00-\x1f\x7f-\x9f\u2028\u2029"
#: A variable's name: up to 128 characters of one line, as people head columns (`Customer Email`,
#: `prénom`, `1st choice`). What template languages begin their commands with begins none.
NAME: Final = rf"[^{_PLAIN}\s#/>!^&%~=](?:[^{_PLAIN}]{{0,126}}[^{_PLAIN}\s])?"
PLACEHOLDER: Final = re.compile(rf"\{{\{{\s*({NAME})\s*\}}\}}")

#: Facts of the call that every text may name. `today` and `now` are where the callee is.
BUILT_IN: Final = frozenset(
    {"call_id", "call_direction", "user_phone_number", "agent_phone_number", "today", "now"}
)
SECRETS: Final = "secret."

#: Where a name may go on to what is within a value.
_STEP: Final = re.compile(r"[.\[]")
#: Of a list's item; no list has more digits.
_INDEX: Final = re.compile(r"\.(0|[1-9][0-9]{0,8})(?=[.\[]|\Z)|\[(0|[1-9][0-9]{0,8})\](?=[.\[]|\Z)")

#: What stands in a text for a `{{` that begins no variable.
_ESCAPED: Final = r"\{{"


class UnknownVariableError(Exception):
    """A text names a variable that has no value."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{{{{{name}}}}} has no value")
        self.name = name


def render(
    text: str, values: Mapping[str, Any], escape: Callable[[str], str] = lambda value: value
) -> str:
    """`text` with its variables replaced.

    Args:
        text: the template.
        values: variable name to value.
        escape: applied to each value's text.

    Raises UnknownVariableError.
    """

    def value_of(match: re.Match[str]) -> str:
        name = match.group(1)
        if name not in values:
            raise UnknownVariableError(name)
        return escape(as_text(values[name]))

    return "{{".join(PLACEHOLDER.sub(value_of, part) for part in text.split(_ESCAPED))


def variables_in(text: str) -> list[str]:
    """The names of the variables in a text, in order."""
    return [name for part in text.split(_ESCAPED) for name in PLACEHOLDER.findall(part)]


def is_broken(text: str) -> bool:
    """Whether a text holds `{{` that begins no variable."""
    return any("{{" in PLACEHOLDER.sub(" ", part) for part in text.split(_ESCAPED))


def literal(text: str) -> str:
    """The template that renders to `text` as it is, whatever is in it."""
    return text.replace("{{", _ESCAPED)


def unescaped(template: str) -> str:
    """A template as who knows of no variables reads it; of a `literal` one, its text."""
    return template.replace(_ESCAPED, "{{")


def as_text(value: Any) -> str:
    """A variable's value as it stands in a text: `true` and `false`, nothing for null, a list of
    simple values with commas, other lists and objects as JSON."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case list() if not any(isinstance(item, list | dict) for item in value):
            return ", ".join(map(as_text, value))
        case list() | dict():
            return json.dumps(value, ensure_ascii=False)
    return str(value)


class Variables(Mapping[str, Any]):
    """Variables by every name that leads to a value: of `{"customer": {"name": "Ann"}}` also
    `customer.name`, of a list `items.0` and `items[0]`. A variable of just that name holds before a
    path. Paths are followed when they are asked for; it is made of the plain names."""

    def __init__(
        self, given: Mapping[str, Any], first: Mapping[str, Any] = MappingProxyType({})
    ) -> None:
        """
        Args:
            given: variable name to value.
            first: those that hold before all others, by just their names.
        """
        self._given = given
        self._first = first

    def __getitem__(self, name: str) -> Any:
        if name in self._first:
            return self._first[name]
        for value in _named(self._given, name):
            return value
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter({**self._given, **self._first})

    def __len__(self) -> int:
        return len({*self._given, *self._first})


def _named(values: Mapping[str, Any], name: str) -> Iterator[Any]:
    """What a name leads to, by the longest plain name that it begins with first."""
    if name in values:
        yield values[name]
    for step in reversed([*_STEP.finditer(name)]):
        if (plain := name[: step.start()]) in values:
            yield from _within(values[plain], name[step.start() :])


def _within(value: Any, path: str) -> Iterator[Any]:
    """What `.member`, `.0` or `[0]`, and what follows, lead to."""
    if not path:
        yield value
    elif isinstance(value, Mapping) and path.startswith("."):
        yield from _named(value, path[1:])
    elif isinstance(value, list) and (match := _INDEX.match(path)):
        index = int(match[1] or match[2])
        if index < len(value):
            yield from _within(value[index], path[match.end() :])


MASK: Final = "********"

#: Parts of names whose values open doors.
_SENSITIVE: Final = ("authorization", "cookie", "key", "token", "secret", "password", "signature")


def is_sensitive(name: str) -> bool:
    """Whether a header or query parameter of this name is masked."""
    return any(part in name.lower() for part in _SENSITIVE)
