"""A request of a dialect in our own words, and what is wrong with it in the dialect's."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from api.base.problems import Problem, invalid, pointer, problem_of
from api.base.refusals import Refused

Path = tuple[str | int, ...]


@dataclass
class Translation:
    """Our own body, put together value by value."""

    body: dict[str, Any] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)
    """JSON pointer into `body` to where the value is from in the request."""

    def put(self, name: str, value: Any, source: Path) -> None:
        """Set a member of the body that stands for what the request has at `source`."""
        self.body[name] = value
        self.comes_from((name,), source)

    def comes_from(self, path: Path, source: Path) -> None:
        """Say where in the request what is at `path` in the body, and below it, is from."""
        self.places[pointer(*path)] = pointer(*source)

    def within(self, inner: "Translation", path: Path, source: Path = ()) -> None:
        """Take over the places of a body that stands at `path` in this one, and is made of what
        is at `source` in the request."""
        for place, origin in inner.places.items():
            self.places[pointer(*path) + place] = pointer(*source) + origin

    @contextmanager
    def told(self) -> Iterator[None]:
        """Have problems point into the request."""
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
    """The same problem with each pointer exchanged by the longest place that leads to it; what
    no place leads to is blamed on the body as a whole."""
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
