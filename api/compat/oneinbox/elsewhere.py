"""What OneInbox has and we have in a form of our own only: 501 that says where."""

from collections.abc import Mapping
from typing import Final, Literal

from starlette.responses import Response

from api.base.problems import Problem
from api.compat.oneinbox.calls import PREFIX
from api.http.endpoint import EndpointTable, Exchange

#: By path: what to do instead.
ELSEWHERE: Final[Mapping[str, str]] = {
    "models": "name a language model in an agent's `llm`; our own GET /v1/models lists them",
    "tools": "give an agent its `tools` with our own PATCH /v1/agents/{id}",
    "knowledge-bases": "give an agent its `faq_items` with our own PATCH /v1/agents/{id}",
    "voices": "name a voice in an agent's `tts`; our own GET /v1/voices lists them",
    "credentials": "engines are the operator's to configure; an agent's secrets are kept with our "
    "own PUT /v1/secrets/{name}",
    "phone-numbers": "register the numbers of your trunk with our own POST /v1/numbers",
    "api-keys": "make keys with our own POST /v1/api_keys",
    "publishable-keys": "no key may be shown to a browser: calls are placed by servers",
    "usage": "what calls cost is told by our own GET /v1/budget and by each call",
    "audit-events": "what happened to a call is told by our own GET /v1/calls/{id}/events",
    "webhooks": "add a receiver with our own POST /v1/webhook_endpoints and the payload `oneinbox`",
}

route = EndpointTable("oneinbox")


def _refuse(method: Literal["GET", "POST"], path: str, instead: str) -> None:
    """Add an endpoint that refuses."""

    async def refuse(exchange: Exchange) -> Response:  # noqa: ARG001
        raise Problem(501, "not_offered", f"not offered in this form: {instead}")

    refuse.__name__ = f"oneinbox_{method.lower()}_{path.replace('-', '_')}"
    refuse.__doc__ = f"Always 501: {instead}."
    refused = {501: "It is not offered in this form."}
    route(method, f"{PREFIX}/{path}", "Found elsewhere", refused)(refuse)


for _path, _instead in ELSEWHERE.items():
    _refuse("GET", _path, _instead)
    _refuse("POST", _path, _instead)

ENDPOINTS = route.endpoints
