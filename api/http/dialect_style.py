"""How a hosted service's API is served beside our own: where, and how it tells an error."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from api.base.problems import Problem
from api.resources.dialect import Dialect


@dataclass(frozen=True)
class DialectStyle:
    """What all paths of a dialect have in common."""

    name: Dialect
    title: str
    prefix: str
    """In front of the service's own paths. A client whose key bears the dialect may leave it out,
    as its base URL does."""
    error: Callable[[Problem, str], Mapping[str, Any]]
    """An error's body; takes the problem and the request's id."""
    error_model: type[BaseModel]
    statuses: Mapping[int, int] = field(default_factory=dict)
    """Our status of an error to the service's, where it has another."""

    def status_of(self, status: int) -> int:
        """The service's status for one of ours."""
        return self.statuses.get(status, status)


def style_at(path: str, styles: Iterable[DialectStyle]) -> DialectStyle | None:
    """Whose path it is; None for our own."""
    return next((one for one in styles if path.startswith(one.prefix + "/")), None)
