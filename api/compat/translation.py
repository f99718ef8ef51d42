"""Translates a dialect's request into our own, and pointers of our problems back."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Final

from api.base.problems import FieldError, Problem, invalid, pointer, problem_of
from api.base.refusals import Refused
from api.compat.mapping import NAMES
from api.resources.dialect import Dialect

Path = tuple[str | int, ...]


@dataclass
class Translation:
    """A body of our own API, put together value by value of a dialect's request."""

    body: dict[str, Any] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)
    """JSON pointer into `body` to the pointer into the request that the value is from."""

    def put(self, name: str, value: Any, source: Path) -> None:
        """Set a member of the body to what the value at `source` in the request stands for."""
        self.body[name] = value
        self.comes_from((name,), source)

    def comes_from(self, path: Path, source: Path) -> None:
        """Note that the value at `path` in the body, and all below it, is from `source` in the
        request."""
        self.places[pointer(*path)] = pointer(*source)

    def within(self, inner: "Translation", path: Path, source: Path = ()) -> None:
        """Take over the places of `inner`, a body that stands at `path` in this one and is made of
        the value at `source` in the request."""
        for place, origin in inner.places.items():
            self.places[pointer(*path) + place] = pointer(*source) + origin

    @contextmanager
    def told(self, dialect: Dialect) -> Iterator[None]:
        """Have the problems of the block point into the request, and speak in its words."""
        names = NAMES[dialect]
        try:
            yield
        except Problem as problem:
            raise moved(problem, self.places, names) from problem
        except Refused as refused:
            raise moved(problem_of(refused), self.places, names) from refused


def renamed(value: Any, names: Mapping[str, str]) -> Any:
    """A JSON value with its members, at any depth, called by other names."""
    if isinstance(value, Mapping):
        return {names.get(name, name): renamed(item, names) for name, item in value.items()}
    return [renamed(item, names) for item in value] if isinstance(value, list) else value


def moved(
    problem: Problem, places: Mapping[str, str], names: Mapping[str, str] = MappingProxyType({})
) -> Problem:
    """The same problem, told in a request's own words.

    Args:
        problem: in ours.
        places: as of `Translation`: each pointer is moved by the longest one that leads to it.
        names: of our fields (`voice.id`), which its sentences may name. A pointer that no place
            leads to, of a field that was kept before, is moved by them; of one without a name the
            sentence tells, and the pointer becomes that to the whole body.
    """
    if not problem.errors:
        return problem
    errors = [_told(error, places, names) for error in problem.errors]
    if problem.status != 422:
        return Problem(problem.status, problem.code, problem.detail, errors, problem.headers)
    return invalid(errors, problem.code)


def _told(error: FieldError, places: Mapping[str, str], names: Mapping[str, str]) -> FieldError:
    detail = _renamed(error.detail, names)
    if error.pointer is None:
        return replace(error, detail=detail)
    if (place := _moved(error.pointer, places)) is not None:
        return replace(error, detail=detail, pointer=place)
    path = error.pointer[1:]
    if (named := _named(path, names)) is not None:
        return replace(error, detail=detail, pointer=f"/{named}")
    return replace(error, detail=f"{path}: {detail}" if path else detail, pointer="")


def _renamed(detail: str, names: Mapping[str, str]) -> str:
    detail = _OF_AGENT.sub(
        lambda match: f"its agent's {_named(match[1], names) or match[1]}:", detail
    )
    return _FIELD.sub(lambda match: f"`{names.get(match[1], match[1])}`", detail)


def _named(path: str, names: Mapping[str, str]) -> str | None:
    """A pointer into our fields in a dialect's words; None where it has none for it."""
    parts = path.split("/")
    for length in range(len(parts), 0, -1):
        if (theirs := names.get(".".join(parts[:length]))) is not None:
            return "/".join([*theirs.split("."), *parts[length:]])
    return None


#: Where a sentence names a field of a stored agent (`api.agents.layers`), or of the request.
_OF_AGENT: Final = re.compile(r"its agent's ([^:]+):")
_FIELD: Final = re.compile(r"`([a-z_]+)`")


def _moved(place: str, places: Mapping[str, str]) -> str | None:
    prefix = place
    while prefix not in places:
        if not prefix:
            return None
        prefix = prefix.rpartition("/")[0]
    return places[prefix] + place[len(prefix) :]
