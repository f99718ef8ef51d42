"""One route as data: the router, the authentication and the OpenAPI document are made from it."""

import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType, NoneType, UnionType
from typing import Any, Final, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from api.base.fields import Body, as_given, parse_fields
from api.base.problems import problem_of
from api.base.refusals import Refused
from api.http.body import parse_json
from api.http.dialect_style import DialectStyle
from api.http.services import Services
from api.resources.answer import Accepted, Created
from api.resources.idempotency import Idempotency
from api.resources.key import ApiKey, KeyScope
from api.store import Store


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

    @property
    def store(self) -> Store:
        return self.services.store

    @property
    def key_id(self) -> str | None:
        """Of who asks."""
        return None if self.key is None else self.key.id

    def named(self, parameter: str) -> str:
        """What the path says."""
        value: str = self.request.path_params[parameter]
        return value


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
    """Where there is no model; a model's is made of its fields' examples (`api.http.samples`)."""


Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
#: What a handler gives: a thing, which is answered with 200, or none, 204.
Given = BaseModel | Created[Any] | Accepted[Any] | Response | None

H = TypeVar("H", bound=Callable[..., Awaitable[Given]])

LOCATION: Final = {"Location": "Its path."}


@dataclass(frozen=True)
class Endpoint:
    """A method on a path."""

    method: Method
    path: str
    handler: Callable[..., Awaitable[Given]]
    """Takes the exchange, and the body as the model that its second parameter is annotated with.
    What it gives is annotated, too. Its docstring is the operation's description, in Markdown."""
    summary: str
    tag: str
    answers: Mapping[int, Answer] = field(default_factory=dict)
    """Beside those that the handler's annotations tell of, and those of every route of its kind
    (`api.http.openapi`)."""
    body: type[BaseModel] | FileBody | None = None
    """Where the handler reads it itself."""
    body_required: bool = True
    parameters: tuple[Parameter, ...] = ()
    scope: KeyScope | None = None
    """What a key needs; None is `read` for GET and `admin` for what writes."""
    public: bool = False
    """No key is asked for."""
    local: bool = False
    """Nor of who asks from this machine, where `server.metrics` says so."""
    keeps_answer: bool = False
    """The handler itself stores the answer under the Idempotency-Key."""
    preflight: Callable[[Exchange], Awaitable[Response]] | None = None
    """Answers what browsers ask first of a page of another origin (`OPTIONS`)."""
    dialect: DialectStyle | None = None
    """Whose API it belongs to; None is our own."""
    asked: type[Body] | None = field(init=False)
    """What the handler takes beside the exchange."""

    def __post_init__(self) -> None:
        """Fill in what the handler's annotations tell of."""
        hints = get_type_hints(self.handler)
        given = hints.pop("return", Response)
        asked = next((hint for hint in hints.values() if hint is not Exchange), None)
        object.__setattr__(self, "asked", asked)
        object.__setattr__(self, "body", asked or self.body)
        object.__setattr__(self, "answers", {**_told(given, self.method), **self.answers})

    async def respond(self, exchange: Exchange) -> Response:
        """What the handler answers. Raises Problem."""
        try:
            if self.asked is None:
                return _response(await self.handler(exchange))
            empty = not exchange.body and not self.body_required
            body = {} if empty else parse_json(exchange.body)
            asked = parse_fields(self.asked, body)
            with as_given(body, self.asked.aliases):
                return _response(await self.handler(exchange, asked))
        except Refused as refused:
            raise problem_of(refused) from refused

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


class EndpointTable:
    """The endpoints of a noun: each is told of by the decorator of its handler."""

    def __init__(self, tag: str, *named: Parameter) -> None:
        self._tag = tag
        self._named = named
        """Parameters that paths may have."""
        self.endpoints: list[Endpoint] = []

    def __call__(
        self,
        method: Method,
        path: str,
        summary: str,
        answers: Mapping[int, Answer | str] = MappingProxyType({}),
        *,
        query: tuple[Parameter, ...] = (),
        body: type[BaseModel] | FileBody | None = None,
        body_required: bool = True,
        scope: KeyScope | None = None,
        public: bool = False,
        local: bool = False,
        keeps_answer: bool = False,
        preflight: Callable[[Exchange], Awaitable[Response]] | None = None,
    ) -> Callable[[H], H]:
        """Add an endpoint with the decorated handler; the arguments are those of `Endpoint`."""

        def add(handler: H) -> H:
            self.endpoints.append(
                Endpoint(
                    method,
                    path,
                    handler,
                    summary,
                    self._tag,
                    {
                        status: Answer(one) if isinstance(one, str) else one
                        for status, one in answers.items()
                    },
                    body,
                    body_required,
                    (*(one for one in self._named if f"{{{one.name}}}" in path), *query),
                    scope,
                    public,
                    local,
                    keeps_answer,
                    preflight,
                )
            )
            return handler

        return add


def _told(given: Any, method: str) -> dict[int, Answer]:
    """The answers that a handler's annotation tells of."""
    answers = {}
    for one in get_args(given) if get_origin(given) in {Union, UnionType} else (given,):
        if one is NoneType:
            answers[204] = Answer("It is gone." if method == "DELETE" else "It is done.")
        elif get_origin(one) is Created:
            answers[201] = Answer("It is added.", get_args(one)[0], headers=LOCATION)
        elif get_origin(one) is Accepted:
            answers[202] = Answer("It is under way.", get_args(one)[0])
        elif issubclass(one, BaseModel):
            answers[200] = Answer(inspect.getdoc(one) or "", one)
    return answers


def _response(given: Given) -> Response:
    if isinstance(given, Response):
        return given
    if given is None:
        return Response(status_code=204)
    if isinstance(given, Created):
        return _json(given.made, 201, {"Location": given.path})
    if isinstance(given, Accepted):
        return _json(given.begun, 202)
    return _json(given, 200)


def _json(thing: BaseModel, status: int, headers: Mapping[str, str] | None = None) -> Response:
    return Response(thing.model_dump_json(), status, headers, "application/json")
