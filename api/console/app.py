"""The console's routes: who is signed in, and what is answered when something is wrong."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from api.base.problems import Problem, problem_of
from api.base.refusals import Refused
from api.console import agents, budget, call, calls, health, lists, live, web
from api.console.forms import MAX_FORM_BYTES, form_token, read_form
from api.console.sign_in import SESSION, sign_in, sign_in_page, sign_out
from api.console.templating import TEMPLATES
from api.console.visit import HOME, Page, Visit, go
from api.http.app import refuse_nul
from api.http.auth import Guard
from api.http.long_answers import LongAnswers
from api.http.services import Services
from api.store import StoreError

STATIC: Final = Path(__file__).with_name("static")


async def home(visit: Visit) -> Response:  # noqa: ARG001 - a page
    """The first page."""
    return go("/calls")


_PAGES: Final[tuple[tuple[str, str, Page], ...]] = (
    ("GET", "", home),
    ("POST", "/sign-out", sign_out),
    *calls.PAGES,
    *call.PAGES,
    *live.PAGES,
    *health.PAGES,
    *agents.PAGES,
    *lists.PAGES,
    *budget.PAGES,
    *web.PAGES,
)


class _Files(StaticFiles):
    """Scripts and styles: a browser asks each time whether they have changed."""

    def file_response(self, *arguments: Any, **named: Any) -> Response:
        answer = super().file_response(*arguments, **named)
        answer.headers["Cache-Control"] = "public, no-cache"
        return answer


def console(services: Services, guard: Guard, streams: LongAnswers) -> Sequence[BaseRoute]:
    """The routes; none where the settings want no console."""
    if not services.settings.server.console:
        return ()
    for template in TEMPLATES.list_templates():
        TEMPLATES.get_template(template)  # compiled now, not while somebody waits
    door = _Door(services, guard, streams)
    paths: dict[str, dict[str, Page]] = {}
    for method, path, page in _PAGES:
        paths.setdefault(path, {})[method] = page
    return [
        Mount(f"{HOME}/static", _Files(directory=STATIC)),
        Route(f"{HOME}/sign-in", door.strangers, methods=["GET", "POST"]),
        *(
            Route(HOME + path, door.page(paths[path]), methods=["GET", "POST"])
            # What is named comes before what is filled in.
            for path in sorted(paths, key=lambda path: [one[:1] == "{" for one in path.split("/")])
        ),
        Route(HOME + "/{rest:path}", door.page({}), methods=["GET", "POST"]),
    ]


class _Door:
    """Lets people in."""

    def __init__(self, services: Services, guard: Guard, streams: LongAnswers) -> None:
        self._services = services
        self._guard = guard
        self._streams = streams

    async def strangers(self, request: Request) -> Response:
        """Sign in."""
        if request.method != "POST":
            return sign_in_page(self._services, request)
        try:
            return await sign_in(self._services, self._guard, request)
        except Problem as problem:
            return sign_in_page(self._services, request, problem.detail, problem.status)

    def page(self, pages: Mapping[str, Page]) -> Callable[[Request], Awaitable[Response]]:
        """What answers at one path, by method."""

        async def answer(request: Request) -> Response:
            visit = await self._visit(request)
            if visit is None:
                return go("/sign-in")
            try:
                return await self._answered(visit, pages)
            except (Problem, Refused, HTTPException, StoreError) as error:
                return _told(visit, error)

        return answer

    async def _visit(self, request: Request) -> Visit | None:
        token = request.cookies.get(SESSION)
        key = None if not token else await self._services.store.sessions.recognise(token)
        if token is None or key is None:
            return None
        request.state.vouched = True
        return Visit(self._services, request, key, token, self._streams)

    async def _answered(self, visit: Visit, pages: Mapping[str, Page]) -> Response:
        request = visit.request
        self._guard.count(request, visit.key)
        refuse_nul(request)
        page = pages.get("POST" if request.method == "POST" else "GET")
        if page is None:
            raise HTTPException(404)
        if request.method != "POST":
            return await page(visit)
        token = form_token(self._services.seal, visit.token)
        timeout_s = self._services.settings.server.body_timeout_s
        form = await read_form(request, MAX_FORM_BYTES, timeout_s, token)
        return await page(replace(visit, form=form))


def _told(visit: Visit, error: Exception) -> Response:
    """What is wrong, as a page, or as the API tells it where a script asks."""
    if isinstance(error, StoreError):
        problem = Problem(503, "store_unavailable", "the store is busy; try again")
    elif isinstance(error, HTTPException):
        problem = Problem(error.status_code, "not_found", "there is no such page")
    elif isinstance(error, Refused):
        problem = problem_of(error)
    else:
        assert isinstance(error, Problem)
        problem = error
    if visit.request.headers.get("accept") == "application/json":
        return problem.response(visit.request.state.request_id)
    title = HTTPStatus(problem.status).phrase
    answer = visit.page("problem.html", problem.status, title=title, problem=problem)
    answer.headers.update(problem.headers)
    return answer
