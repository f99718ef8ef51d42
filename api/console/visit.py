"""One request of somebody who is signed in: what they may ask, and how a page is made for them."""

import json
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote, urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from api.console.forms import Form, form_token
from api.console.templating import TEMPLATES
from api.http.auth import check_scope
from api.http.endpoint import Endpoint, Exchange
from api.http.long_answers import LongAnswers
from api.http.services import Services
from api.resources.key import ApiKey, KeyScope, allows
from api.routes import ENDPOINTS

HOME: Final = "/console"
OPERATIONS: Final[Mapping[str, Endpoint]] = {one.operation_id: one for one in ENDPOINTS}

#: The pages by group: path, name, and the endpoint that it needs.
NAVIGATION: Final = (
    (
        ("live", "Live", "list_calls"),
        ("calls", "Calls", "list_calls"),
        ("health", "Health", "get_health"),
    ),
    (
        ("agents", "Agents", "list_agents"),
        ("campaigns", "Campaigns", "list_campaigns"),
        ("do-not-call", "Do not call", "list_do_not_call"),
    ),
    (
        ("numbers", "Numbers", "list_numbers"),
        ("trunks", "Trunks", "list_trunks"),
        ("rates", "Rates", "list_rates"),
        ("budget", "Budget", "get_budget"),
    ),
    (
        ("webhooks", "Webhook endpoints", "list_webhook_endpoints"),
        ("deliveries", "Webhook deliveries", "list_webhook_deliveries"),
        ("keys", "API keys", "list_api_keys"),
    ),
)

_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'{}; img-src 'self' data:; "
    "media-src 'self' blob:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; "
    "form-action 'self'"
)


@dataclass(frozen=True)
class Visit:
    """A request at the console."""

    services: Services
    request: Request
    key: ApiKey
    """Whose session it is."""
    token: str
    """Of the session."""
    streams: LongAnswers
    form: Form = field(default_factory=Form)
    """Of a POST."""

    def may(self, operation: str) -> bool:
        """Whether the key may use this endpoint."""
        return allows(self.key.scope, OPERATIONS[operation].needed_scope)

    async def answer(
        self,
        operation: str,
        body: Any = None,
        query: Sequence[tuple[str, str]] = (),
        **named: str,
    ) -> Response:
        """What an endpoint answers to this key. Raises Problem.

        Args:
            operation: its id.
            body: JSON, or the bytes of a file.
            query: of the request.
            named: the parameters of its path.
        """
        endpoint = OPERATIONS[operation]
        check_scope(self.key, endpoint)
        scope = {
            **self.request.scope,
            "method": endpoint.method,
            "path": endpoint.path.format(**{name: quote(text) for name, text in named.items()}),
            "query_string": urlencode(query).encode(),
            "path_params": named,
        }
        sent = body if isinstance(body, bytes) else json.dumps(body or {}).encode()
        return await endpoint.respond(Exchange(self.services, Request(scope), self.key, sent))

    async def ask(
        self,
        operation: str,
        body: Any = None,
        query: Sequence[tuple[str, str]] = (),
        **named: str,
    ) -> Any:
        """What an endpoint answers, as JSON; the arguments are those of `answer`."""
        answer = await self.answer(operation, body, query, **named)
        return json.loads(bytes(answer.body)) if answer.body else None

    def stream(self, answer: Response, scope: KeyScope = "read") -> Response:
        """An answer that takes long, for as long as the key is worth something."""
        return self.streams.bounded(answer, self.key, scope)

    def fragment(self, template: str, **values: Any) -> str:
        """A part of a page."""
        return TEMPLATES.get_template(template).render(
            visit=self,
            home=HOME,
            navigation=NAVIGATION,
            path=self.request.url.path,
            csrf=form_token(self.services.seal, self.token),
            **values,
        )

    def page(self, template: str, status: int = 200, **values: Any) -> Response:
        """A page. Its own `style` elements need its nonce: there are none but a library's."""
        nonce = secrets.token_urlsafe(16) if values.pop("styled", False) else ""
        return HTMLResponse(
            self.fragment(template, nonce=nonce, **values), status, security_headers(nonce)
        )


#: Answers at one path and method.
Page = Callable[[Visit], Awaitable[Response]]


def security_headers(nonce: str = "") -> dict[str, str]:
    """What browsers are told of every page.

    Args:
        nonce: of `style` elements that a library makes; empty: there are none.
    """
    return {
        "Content-Security-Policy": _POLICY.format(f" 'nonce-{nonce}'" if nonce else ""),
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
    }


def go(path: str) -> Response:
    """To another page, after a form."""
    return RedirectResponse(f"{HOME}{path}", 303)
