"""Signing in with an API key, which becomes a session; and out again."""

import secrets
from typing import Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from api.base.problems import Problem
from api.console.forms import MAX_STRANGERS_BYTES, form_token, read_form
from api.console.templating import TEMPLATES
from api.console.visit import HOME, Visit, go, security_headers
from api.http.auth import Guard
from api.http.services import Services

SESSION: Final = "offhook_session"
#: A working day.
LIFETIME_S: Final = 12 * 3600
#: What the sign-in form's token is made of: there is no session yet.
_STRANGER: Final = "offhook_sign_in"


def sign_in_page(
    services: Services, request: Request, wrong: str = "", status: int = 200
) -> Response:
    """The form, with what was wrong the last time."""
    nonce = secrets.token_urlsafe(16)
    html = TEMPLATES.get_template("sign_in.html").render(
        home=HOME, csrf=form_token(services.seal, nonce), wrong=wrong
    )
    answer = HTMLResponse(html, status, security_headers())
    _keep(request, answer, _STRANGER, nonce, 3600)
    return answer


async def sign_in(services: Services, guard: Guard, request: Request) -> Response:
    """Begin a session. Raises Problem for what is no form of ours."""
    expected = form_token(services.seal, request.cookies.get(_STRANGER, ""))
    form = await read_form(
        request, MAX_STRANGERS_BYTES, services.settings.server.body_timeout_s, expected
    )
    try:
        key = await guard.sign_in(request, form.fields.get("key", "").strip())
    except Problem as problem:
        return sign_in_page(services, request, problem.detail, problem.status)
    token = await services.store.sessions.begin(key.id, LIFETIME_S)
    answer = go("")
    answer.delete_cookie(_STRANGER, path=HOME)
    _keep(request, answer, SESSION, token, LIFETIME_S)
    return answer


async def sign_out(visit: Visit) -> Response:
    """End the session here and in the store."""
    await visit.services.store.sessions.end(visit.token)
    answer = go("/sign-in")
    answer.delete_cookie(SESSION, path=HOME)
    return answer


def _keep(request: Request, answer: Response, name: str, value: str, lifetime_s: int) -> None:
    answer.set_cookie(
        name,
        value,
        max_age=lifetime_s,
        path=HOME,
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="strict",
    )
