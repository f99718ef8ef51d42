"""The Starlette application: authentication, idempotency and problems around the route table."""

import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from ipaddress import ip_address

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Match, Route
from starlette.types import Receive, Scope, Send

from api.base.problems import FieldError, Problem, invalid, problem_of
from api.base.refusals import Refused
from api.http.auth import Guard, check_scope
from api.http.body import read_body
from api.http.endpoint import Endpoint, Exchange, FileBody
from api.http.etag import PathLocks, conditional, require_match
from api.http.front import Front, told
from api.http.idempotency import IdempotencyGate
from api.http.long_answers import LongAnswers
from api.http.openapi import openapi_document
from api.http.proxies import Proxies
from api.http.reference.llms import llms_text
from api.http.reference.page import reference_page
from api.http.scrape import Scrape
from api.http.services import Services
from api.http.vitals import Vitals
from api.resources.dialect import Dialect
from api.resources.idempotency import Idempotency
from api.resources.key import ApiKey

#: Makes routes for people beside those for programs.
Pages = Callable[[Services, Guard, LongAnswers], Sequence[BaseRoute]]


def create_app(
    services: Services, endpoints: Sequence[Endpoint], pages: Pages = lambda *_: ()
) -> Starlette:
    """The HTTP side of Offhook; `services` are started and stopped by the caller."""
    limits = services.settings.server
    guard = Guard(services.store.keys, limits.rate_limit_per_minute)
    streams = LongAnswers(services.store.keys, limits.max_streams, limits.max_streams_per_key)
    proxies = Proxies(services.settings.server.trusted_proxies)
    dialects = {one.dialect.name: one.dialect for one in endpoints if one.dialect is not None}
    app = Starlette(
        routes=[
            *pages(services, guard, streams),
            *_routes(services, endpoints, guard, streams),
        ],
        middleware=[Middleware(Front, proxies, tuple(dialects.values()))],
        exception_handlers={
            Problem: _problem,
            Refused: _problem,
            HTTPException: _http_exception,
        },
    )
    document = openapi_document(endpoints)
    app.state.openapi = document
    app.state.reference = reference_page(document)
    app.state.llms = llms_text(document)
    vitals = app.state.vitals = Vitals(services.store, services.settings)
    app.state.scrape = Scrape(
        services.meter, services.settings, services.store, vitals, services.standing
    )
    return app


class OnePath(Route):
    """A route that has its path to itself: a method that it lacks is 405, not another's path.

    `/v1/rates/import` would otherwise be read as the rate of the prefix `import`.
    """

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        match, found = super().matches(scope)
        return (Match.FULL if match is Match.PARTIAL else match), found

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """What methods there are is the key's matter, too: see `_choose`."""
        await self.app(scope, receive, send)


#: The endpoints of a path by method: our own under None, and those of dialects whose clients may
#: leave their prefix out.
Tables = Mapping[Dialect | None, Mapping[str, Endpoint]]


def _routes(
    services: Services, endpoints: Sequence[Endpoint], guard: Guard, streams: LongAnswers
) -> list[Route]:
    """One route per path: with two, a wrong method's `Allow` would name only the first's."""
    gate = IdempotencyGate(services.store.answers, services.seal)
    paths: dict[str, dict[Dialect | None, dict[str, Endpoint]]] = {}

    def add(path: str, dialect: Dialect | None, endpoint: Endpoint) -> None:
        paths.setdefault(path, {}).setdefault(dialect, {})[endpoint.method] = endpoint

    for endpoint in endpoints:
        add(endpoint.path, None, endpoint)
        if (style := endpoint.dialect) is not None:
            add(endpoint.path.removeprefix(style.prefix), style.name, endpoint)
    return [
        OnePath(
            path,
            _handler(paths[path], services, guard, gate, streams),
            methods=sorted(paths[path].get(None, ())),
            include_in_schema=None in paths[path],
        )
        # What is named comes before what is filled in.
        for path in sorted(paths, key=lambda path: [part[:1] == "{" for part in path.split("/")])
    ]


def _choose(
    tables: Tables, request: Request, key: ApiKey
) -> tuple[Endpoint, Mapping[str, Endpoint]]:
    """The endpoint that this key's request is for, and all on its path. Raises HTTPException."""
    method, own = _method(request), tables.get(None, {})
    theirs = {} if key.dialect is None else tables.get(key.dialect, {})
    if method in theirs or (theirs and not own):
        request.state.dialect = next(iter(theirs.values())).dialect
        own = theirs
    if method not in own:
        raise _no_method(own)
    return own[method], own


def _near(request: Request) -> bool:
    """Whether a request comes from this machine, and not through a proxy of ours."""
    try:
        return request.client is not None and ip_address(request.client.host).is_loopback
    except ValueError:
        return False


def _no_method(methods: Mapping[str, Endpoint]) -> HTTPException:
    """405, and 404 where nothing is at the path."""
    if not methods:
        return HTTPException(404)
    allowed = [*methods, *(["HEAD"] if "GET" in methods else [])]
    return HTTPException(405, headers={"Allow": ", ".join(sorted(allowed))})


def _method(request: Request) -> str:
    return "GET" if request.method == "HEAD" else request.method


def _handler(
    tables: Tables,
    services: Services,
    guard: Guard,
    gate: IdempotencyGate,
    streams: LongAnswers,
) -> Callable[[Request], Awaitable[Response]]:
    changing = PathLocks()
    own = tables.get(None, {})
    public = {method: endpoint for method, endpoint in own.items() if endpoint.public}
    local = {method: endpoint for method, endpoint in own.items() if endpoint.local}

    preflight = next((one.preflight for one in own.values() if one.preflight), None)

    async def handle(request: Request) -> Response:
        if request.method == "OPTIONS" and preflight is not None:
            return await preflight(Exchange(services, request, None))
        if own and all(_method(request) not in table for table in tables.values()):
            raise _no_method(own)
        key = None
        endpoint = public.get(_method(request))
        methods: Mapping[str, Endpoint] = public
        if endpoint is None and services.settings.server.metrics == "loopback" and _near(request):
            endpoint, methods = local.get(_method(request)), local
        if endpoint is None:
            key = await guard.admit(request)
            endpoint, methods = _choose(tables, request, key)
            check_scope(key, endpoint)
        refuse_nul(request)
        if endpoint.method == "GET":
            answer = await endpoint.respond(Exchange(services, request, key))
            if isinstance(answer, StreamingResponse | FileResponse):
                return streams.bounded(answer, key, endpoint.needed_scope)
            return conditional(request, answer)
        if endpoint.method == "DELETE":
            return await endpoint.respond(Exchange(services, request, key))
        limit = services.settings.server.max_body_bytes
        if isinstance(endpoint.body, FileBody):
            limit = endpoint.body.max_bytes
        body = await read_body(request, limit, services.settings.server.body_timeout_s)
        if body and endpoint.body is not None and not isinstance(endpoint.body, FileBody):
            _require_json(request)
        if key is None:
            return await endpoint.respond(Exchange(services, request, None, body))
        if endpoint.method != "POST":  # twice is as good as once: it needs no Idempotency-Key
            async with changing.of(request.url.path):
                if (read := methods.get("GET")) is not None:
                    await require_match(
                        request, lambda: read.respond(Exchange(services, request, key))
                    )
                answer = await endpoint.respond(Exchange(services, request, key, body))
            return conditional(request, answer)
        fingerprint = hashlib.sha256(
            b"\0".join((request.method.encode(), request.url.path.encode(), body))
        ).hexdigest()

        async def work(idempotent: Idempotency | None) -> Response:
            return await endpoint.respond(Exchange(services, request, key, body, idempotent))

        return await gate.answer(
            key.id, request.headers, fingerprint, work, reserve=not endpoint.keeps_answer
        )

    return handle


def _require_json(request: Request) -> None:
    """415 for a body that says that it is something else, or nothing (RFC 9110, 15.5.16)."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        detail = "send the body with the header Content-Type: application/json"
        raise Problem(415, "unsupported_media_type", detail)


def refuse_nul(request: Request) -> None:
    """Nothing has a NUL in its name: PostgreSQL would fail to look for it."""
    if "\0" in request.scope["path"]:
        raise HTTPException(404)
    for name, value in request.query_params.multi_items():
        if "\0" in value:
            raise invalid([FieldError("must not hold the character U+0000", parameter=name)])


async def _problem(request: Request, error: Exception) -> Response:
    problem = problem_of(error) if isinstance(error, Refused) else error
    assert isinstance(problem, Problem)
    return told(request, problem)


async def _http_exception(request: Request, error: Exception) -> Response:
    """Starlette's own answers (404, 405) in our form."""
    assert isinstance(error, HTTPException)
    codes = {404: "not_found", 405: "method_not_allowed"}
    details = {
        404: "there is nothing at this path; /openapi.json lists what there is",
        405: "this path does not take this method; see the Allow header",
    }
    problem = Problem(
        error.status_code,
        codes.get(error.status_code, "http_error"),
        details.get(error.status_code, error.detail),
        headers=error.headers,
    )
    return told(request, problem)
