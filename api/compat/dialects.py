"""Where each dialect is served, and how it tells an error."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import BaseModel

from api.compat.errors import (
    CallingBoxError,
    OneInboxError,
    RevoxError,
    callingbox_error,
    oneinbox_error,
    revox_error,
)
from api.problems import Problem
from api.records import Dialect


@dataclass(frozen=True)
class DialectStyle:
    """What all paths of a dialect have in common."""

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


DIALECTS: Final[Mapping[Dialect, DialectStyle]] = {
    "callingbox": DialectStyle(
        "CallingBox", "/compat/callingbox", callingbox_error, CallingBoxError, {422: 400}
    ),
    "oneinbox": DialectStyle("OneInbox", "/compat/oneinbox", oneinbox_error, OneInboxError),
    "revox": DialectStyle("Revox", "/api", revox_error, RevoxError),
}


def dialect_at(path: str) -> Dialect | None:
    """Whose path it is; None for our own."""
    for name, style in DIALECTS.items():
        if path.startswith(style.prefix + "/"):
            return name
    return None


def short_path(path: str) -> str | None:
    """A dialect's path without its prefix; None for our own."""
    dialect = dialect_at(path)
    return None if dialect is None else path.removeprefix(DIALECTS[dialect].prefix)
