"""Translates a dialect's request into our own, and pointers of our problems back."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from api.base.problems import Problem, invalid, pointer, problem_of
from api.base.refusals import Refused

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
    def told(self) -> Iterator[None]:
        """Have the problems of the block point into the request."""
        try:
            yield
        except Problem as problem:
            raise moved(problem, self.places) from problem
        except Refused as refused:
            raise moved(problem_of(refused), self.places) from refused


def renamed(value: Any, names: Mapping[str, str]) -> Any:
    """A JSON value with its members, at any depth, called by other names."""
    if isinstance(value, Mapping):
        return {names.get(name, name): renamed(item, names) for name, item in value.items()}
    return [renamed(item, names) for item in value] if isinstance(value, list) else value


def moved(problem: Problem, places: Mapping[str, str]) -> Problem:
    """The same problem with each pointer moved by the longest place that leads to it; one that no
    place leads to becomes the pointer to the whole body."""
    if not problem.errors:
        return problem
    errors = [
        error if error.pointer is None else replace(error, pointer=_moved(error.pointer, places))
        for error in problem.errors
    ]
    if problem.status != 422:
        return Problem(problem.status, problem.code, problem.detail, errors, problem.headers)
    return invalid(errors, problem.code)


def _moved(place: str, places: Mapping[str, str]) -> str:
    prefix = place
    while prefix not in places:
        if not prefix:
            return ""
        prefix = prefix.rpartition("/")[0]
    return places[prefix] + place[len(prefix) :]
