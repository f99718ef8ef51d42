"""Entity tags (RFC 9110 8.8.3): polling is cheap, and a change overwrites nobody else's."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from weakref import WeakValueDictionary

from starlette.requests import Request
from starlette.responses import Response

from api.base.problems import Problem


def conditional(request: Request, answer: Response) -> Response:
    """`answer` with its ETag; 304 where the client of a GET has it already (RFC 9110 13.1.2).

    Streams, errors and what must not be stored are left as they are.
    """
    body = getattr(answer, "body", b"")
    if not body or answer.status_code != 200 or "no-store" in _caching(answer):
        return answer
    tag = _tag(bytes(body))
    answer.headers["ETag"] = tag
    if request.method in {"GET", "HEAD"}:
        known = {one.removeprefix("W/") for one in _listed(request, "if-none-match")}
        if tag in known or "*" in known:
            names = ("ETag", "Cache-Control")
            kept = {name: answer.headers[name] for name in names if name in answer.headers}
            return Response(status_code=304, headers=kept)
    return answer


async def require_match(request: Request, read: Callable[[], Awaitable[Response]]) -> None:
    """Raise 412 unless the resource is still one that `If-Match` names (RFC 9110 13.1.1).

    Args:
        request: the change.
        read: answers a GET of the same resource.
    """
    wanted = _listed(request, "if-match")
    if not wanted:
        return
    try:
        tag = _tag(bytes((await read()).body))
    except Problem as problem:
        if problem.status != 404:
            raise
        raise _changed("there is no such resource") from problem
    if tag not in wanted and "*" not in wanted:  # strong comparison: a weak tag equals nothing
        raise _changed("it has changed since; read it again and change what you find")


class PathLocks:
    """One change of a resource at a time, so that none comes between `If-Match` and its change.

    Those of other processes on the same store can.
    """

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def of(self, path: str) -> asyncio.Lock:
        """To hold during a change of the resource at `path`."""
        return self._locks.setdefault(path, asyncio.Lock())


def _caching(answer: Response) -> str:
    return answer.headers.get("cache-control", "")


def _changed(detail: str) -> Problem:
    return Problem(412, "precondition_failed", detail)


def _tag(body: bytes) -> str:
    """Strong: it is made of the very bytes."""
    return f'"{hashlib.sha256(body).hexdigest()[:32]}"'


def _listed(request: Request, name: str) -> set[str]:
    """The tags of a header; ours hold no comma, so a comma always separates."""
    lines = request.headers.getlist(name)
    return {tag.strip() for line in lines for tag in line.split(",") if tag.strip()}
