"""One route as data: the router, the authentication and the OpenAPI document are made from it."""

import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from api.key_records import ApiKey, KeyScope
from api.problems import Problem
from api.records import Dialect, Idempotency
from api.services import Services


@dataclass(frozen=True)
class Exchange:
    """One request with what its handler needs."""

    services: Services
    request: Request
    key: ApiKey | None
    """Who asks; None on public routes."""
    body: bytes = b""
    """Of a POST, PUT or PATCH."""
    idempotent: Idempotency | None = None
    """Where the request has an `Idempotency-Key`."""


@dataclass(frozen=True)
class Parameter:
    """A path or query parameter, or a header."""

    name: str
    place: Literal["path", "query", "header"]
    description: str
    schema: Mapping[str, Any] = field(default_factory=lambda: {"type": "string"})
    example: Any = None
    """Needed where the schema names no default and no choices."""


@dataclass(frozen=True)
class FileBody:
    """A request's body that is no JSON."""

    media_type: str
    example: str
    max_bytes: int
    """In place of `server.max_body_bytes`."""


@dataclass(frozen=True)
class Answer:
    """One answer that a route may give."""

    description: str
    model: type[BaseModel] | None = None
    media_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    """Header name to description."""
    example: Any = None
    """Where there is no model; a model's is made of its fields' examples (`api.samples`)."""


@dataclass(frozen=True)
class Endpoint:
    """A method on a path."""

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
    path: str
    handler: Callable[[Exchange], Awaitable[Response]]
    """Its docstring is the operation's description, in Markdown."""
    summary: str
    tag: str
    answers: Mapping[int, Answer]
    body: type[BaseModel] | FileBody | None = None
    body_required: bool = True
    parameters: tuple[Parameter, ...] = ()
    scope: KeyScope | None = None
    """What a key needs; None is `read` for GET and `admin` for what writes."""
    public: bool = False
    """No key is asked for."""
    keeps_answer: bool = False
    """The handler itself stores the answer under the Idempotency-Key."""
    dialect: Dialect | None = None
    """Whose API it belongs to; None is our own."""

    @property
    def operation_id(self) -> str:
        """The handler's name."""
        return self.handler.__name__

    @property
    def description(self) -> str:
        """What there is to know beyond the summary."""
        return inspect.getdoc(self.handler) or ""

    @property
    def needed_scope(self) -> KeyScope:
        """What a key needs."""
        return self.scope or ("read" if self.method == "GET" else "admin")


def not_found(what: str) -> Problem:
    """404."""
    return Problem(404, "not_found", f"there is no such {what}")
