"""Calls from browsers (WebRTC)."""

from starlette.responses import JSONResponse, Response

from api.base.problems import Problem, problem_of
from api.base.refusals import Refused
from api.dialing.web import WebCalls
from api.http.endpoint import LOCATION, Answer, EndpointTable, Exchange
from api.orders.place import stored_agent
from api.resources.web_call import (
    CreateWebCall,
    CreateWebCallToken,
    OfferByToken,
    PageAnswer,
    WebCallAnswer,
    WebCallTokenObject,
)
from api.store.web_call_tokens import WebCallToken

PATH = "/v1/web_calls"
TOKENS = "/v1/web_call_tokens"
OFFERS = "/v1/web_call_offers"
_OFF = "`web.enabled` is off."
_BUSY = "As many calls as may be are under way, or an engine that it needs is down."

route = EndpointTable("web calls")


def web_calls(exchange: Exchange) -> WebCalls:
    """Who places them. Raises Problem."""
    web = exchange.services.web
    if web is None:
        raise _off()
    return web


def _off() -> Problem:
    return Problem(501, "web_calls_off", "browsers cannot call: web.enabled is off")


@route(
    "POST",
    PATH,
    "Call from a browser",
    {
        201: Answer("It waits for the browser to connect.", WebCallAnswer, headers=LOCATION),
        409: _BUSY,
        501: _OFF,
    },
    scope="call",
)
async def create_web_call(exchange: Exchange, asked: CreateWebCall) -> Response:
    """The browser is the caller: `sdp` is its offer, and the answer is given at once. The call is
    answered when the browser has connected, and ends when it leaves; else it is as any other. For
    whoever has an API key: a page gets a token instead.
    """
    client = exchange.request.client
    call, sdp = await web_calls(exchange).place(
        asked, exchange.key_id, None if client is None else client.host
    )
    answer = WebCallAnswer(call=call.shown, sdp=sdp)
    headers = {"Location": f"/v1/calls/{call.id}"}
    return Response(answer.model_dump_json(), 201, headers, "application/json")


@route(
    "POST",
    TOKENS,
    "Make a token for one web call",
    {201: Answer("It is made; the token is told now and never again.", WebCallTokenObject)},
    scope="call",
)
async def create_web_call_token(exchange: Exchange, asked: CreateWebCallToken) -> Response:
    """For a page that has no API key: your server makes a token when the page asks it for one. It
    is good once, for a minute unless `ttl_seconds` says otherwise, with one agent, from pages of
    one origin.
    """
    made, token = await make_token(exchange, asked)
    shown = WebCallTokenObject.model_validate(vars(made) | {"token": token})
    headers = {"Cache-Control": "no-store"}
    return Response(shown.model_dump_json(), 201, headers, "application/json")


async def make_token(exchange: Exchange, asked: CreateWebCallToken) -> tuple[WebCallToken, str]:
    """A token as asked for, and the token itself. Raises Problem."""
    if not exchange.services.settings.web.enabled:
        raise _off()
    await stored_agent(exchange.store, asked.agent_id)
    return await exchange.store.web_call_tokens.create(
        asked.agent_id,
        asked.origin,
        asked.ttl_seconds,
        api_key_id=exchange.key_id,
        variables=asked.variables,
        metadata=asked.metadata,
    )


async def _preflight(exchange: Exchange) -> Response:
    """What the Fetch standard has a browser ask before: only origins that a token is out for may
    go on."""
    origin = exchange.request.headers.get("origin", "")
    if not origin or not await exchange.store.web_call_tokens.knows(origin):
        return Response(status_code=403, headers={"Vary": "Origin"})
    allowed = {
        "Access-Control-Allow-Methods": "POST",
        "Access-Control-Allow-Headers": "content-type",
        "Access-Control-Max-Age": "60",
    }
    return Response(status_code=204, headers=_shared(origin) | allowed)


def _shared(origin: str) -> dict[str, str]:
    return {"Access-Control-Allow-Origin": origin, "Vary": "Origin"}


@route(
    "POST",
    OFFERS,
    "Call from a page, with a token",
    {
        201: Answer("It waits for the browser to connect.", PageAnswer),
        401: "The token is none, is used or has lapsed, or is for pages of another origin.",
        409: _BUSY,
        413: "The body is too large.",
        501: _OFF,
    },
    public=True,
    preflight=_preflight,
)
async def create_web_call_by_token(exchange: Exchange, asked: OfferByToken) -> Response:
    """Needs no API key. The token is used up whatever comes of it; pages of its origin may read
    the answer (CORS), and no others.
    """
    web = web_calls(exchange)
    origin = exchange.request.headers.get("origin", "")
    token = await exchange.store.web_call_tokens.use(asked.token, origin)
    if token is None:
        detail = "the token is none, is used or has lapsed, or is for pages of another origin"
        raise Problem(401, "unauthorized", detail)
    given = {"variables": dict(token.variables)} if token.variables else {}
    order = CreateWebCall.model_validate(
        {"agent_id": token.agent_id, "sdp": asked.sdp, "metadata": dict(token.metadata), **given}
    )
    client = exchange.request.client
    host = None if client is None else client.host
    try:
        call, sdp = await web.place(order, token.api_key_id, host)
    except (Problem, Refused) as refused:
        problem = problem_of(refused) if isinstance(refused, Refused) else refused
        headers = {**(problem.headers or {}), **_shared(origin)}
        raise Problem(
            problem.status, problem.code, problem.detail, errors=problem.errors, headers=headers
        ) from refused
    answer = PageAnswer(call_id=call.id, sdp=sdp)
    return JSONResponse(answer.model_dump(), 201, _shared(origin))


ENDPOINTS = route.endpoints
