"""One route as data: the router, the authentication and the OpenAPI document are made from it."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from api.problems import Problem
from api.records import ApiKey, Idempotency
from api.services import Services


@dataclass(frozen=True)
class Exchange:
    """One request with what its handler needs."""

    services: Services
    request: Request
    key: ApiKey | None
    """Who asks; None on public routes."""
    body: bytes = b""
    """Of a POST or PATCH."""
    idempotent: Idempotency | None = None
    """Where the request has an `Idempotency-Key`."""


@dataclass(frozen=True)
class Parameter:
    """A path or query parameter, or a header."""

    name: str
    place: Literal["path", "query", "header"]
    description: str
    schema: Mapping[str, Any] = field(default_factory=lambda: {"type": "string"})


@dataclass(frozen=True)
class Answer:
    """One answer that a route may give."""

    description: str
    model: type[BaseModel] | None = None
    media_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    """Header name to description."""


@dataclass(frozen=True)
class Endpoint:
    """A method on a path."""

    method: Literal["GET", "POST", "PATCH", "DELETE"]
    path: str
    handler: Callable[[Exchange], Awaitable[Response]]
    summary: str
    tag: str
    answers: Mapping[int, Answer]
    body: type[BaseModel] | None = None
    body_required: bool = True
    parameters: tuple[Parameter, ...] = ()
    public: bool = False
    keeps_answer: bool = False
    """The handler itself stores the answer under the Idempotency-Key."""

    @property
    def operation_id(self) -> str:
        """The handler's name."""
        return self.handler.__name__


def not_found(what: str) -> Problem:
    """404."""
    return Problem(404, "not_found", f"there is no such {what}")
