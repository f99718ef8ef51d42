"""What all requests and answers have in common: an id, headers, and who is behind a proxy."""

import asyncio
import contextlib
import json
import logging
import re
import uuid
from collections.abc import Sequence
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.base.problems import Problem
from api.http.dialect_style import DialectStyle, style_at
from api.http.proxies import Proxies
from api.http.request_id import REQUEST_ID
from api.store import StoreError
from pbx.rare_log import RareLog

_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_MOST_HEADERS: Final = 100
#: What is left of a stranger's body is read before the connection is closed: a client that is
#: still sending then may never see the answer.
_REST_BYTES: Final = 1024 * 1024
_REST_S: Final = 2.0

log = logging.getLogger(__name__)


class Front:
    """Gives each request an id, and turns what nobody caught into a problem with that id.

    Nothing that we answer is to be kept by a cache, unless a route says otherwise. Who shows no
    live key has one answer for each connection: of connections there are only so many.
    """

    def __init__(self, app: ASGIApp, proxies: Proxies, dialects: Sequence[DialectStyle]) -> None:
        self._app = app
        self._proxies = proxies
        self._dialects = dialects
        self._trouble = RareLog(log)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        self._proxies.see_through(scope)
        request = Request(scope)
        asked = request.headers.get("x-request-id", "")
        request_id = asked if _REQUEST_ID.fullmatch(asked) else f"req_{uuid.uuid4().hex}"
        request.state.request_id = request_id
        request.state.dialect = style_at(request.url.path, self._dialects)
        REQUEST_ID.set(request_id)
        started = False
        body = _Body(request, receive)

        async def named(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                headers["X-Request-Id"] = request_id
                headers["X-Content-Type-Options"] = "nosniff"
                headers.setdefault("Cache-Control", "no-store")
                headers.update(getattr(request.state, "rate_limit", {}))
                if not getattr(request.state, "vouched", False):
                    headers["Connection"] = "close"
                    await body.discard()
            await send(message)

        try:
            if len(request.headers) > _MOST_HEADERS:
                detail = f"a request may have up to {_MOST_HEADERS} headers"
                raise Problem(431, "too_many_headers", detail)
            await self._app(scope, body.receive, named)
        except Problem as problem:
            await told(request, problem)(scope, body.receive, named)
        except Exception as error:
            if isinstance(error, StoreError):
                self._trouble.warn("request %s failed: %s", request_id, error)
            else:
                log.exception("request %s failed", request_id)
            if started:
                raise
            await told(request, _fault(error))(scope, body.receive, named)


class _Body:
    """What comes of a request's body."""

    def __init__(self, request: Request, receive: Receive) -> None:
        self._receive = receive
        headers = request.headers
        announced = headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
        self._awaited = announced and "expect" not in headers

    async def receive(self) -> Message:
        message = await self._receive()
        self._awaited = self._awaited and bool(message.get("more_body", False))
        return message

    async def discard(self) -> None:
        """Read the rest, within reason."""
        size = 0
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_REST_S):
                while self._awaited and size < _REST_BYTES:
                    size += len((await self.receive()).get("body", b""))


def told(request: Request, problem: Problem) -> Response:
    """A problem as an answer that whoever asks understands."""
    style: DialectStyle | None = request.state.dialect
    request_id = request.state.request_id
    if style is None:
        return problem.response(request_id)
    body = json.dumps(style.error(problem, request_id))  # ASCII, as in `Problem.response`
    status = style.status_of(problem.status)
    return Response(body, status, problem.headers, "application/json")


def _fault(error: Exception) -> Problem:
    if isinstance(error, StoreError):
        return Problem(
            503, "store_unavailable", "the store is busy; try again", headers={"Retry-After": "1"}
        )
    return Problem(500, "internal_error", "a fault of the server; its log has the request id")
