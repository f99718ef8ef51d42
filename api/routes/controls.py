"""What operators do to live calls: listening in, and speaking into them."""

from starlette.responses import Response

from api.base.refusals import Conflict
from api.http.endpoint import Answer, EndpointTable, Exchange
from api.resources.answer import Accepted
from api.resources.call import CallObject
from api.resources.control import Control, Keys, ListenerAnswer, ListenIn, Words
from api.routes.calls import CALL_ID, ONE
from api.routes.web_calls import web_calls

_DONE = Answer("It is passed on; the event `call.controlled` records it.", CallObject)
_NOT = "The call is not in progress."

route = EndpointTable("calls", CALL_ID)


async def _ask(exchange: Exchange, control: Control) -> Accepted[CallObject]:
    call = await exchange.store.controls.ask(exchange.named("call_id"), control)
    return Accepted(call.shown)


@route("POST", ONE + "/say", "Speak words now", {202: _DONE, 409: _NOT}, scope="listen")
async def say_in_call(exchange: Exchange, asked: Words) -> Accepted[CallObject]:
    """In the agent's voice, in place of whatever it says. The transcript has them, and the agent
    knows that it said so. Nothing is said before an announcement, or after the last words.
    """
    return await _ask(exchange, Control("say", asked.text, exchange.key_id))


@route(
    "POST", ONE + "/whisper", "Tell the agent something", {202: _DONE, 409: _NOT}, scope="listen"
)
async def whisper_in_call(exchange: Exchange, asked: Words) -> Accepted[CallObject]:
    """The person does not hear it, and nothing is spoken for it: the agent knows it when it answers
    next.
    """
    return await _ask(exchange, Control("whisper", asked.text, exchange.key_id))


@route(
    "POST",
    ONE + "/press",
    "Press keys",
    {202: _DONE, 409: "The call is not in progress, or a web call."},
    scope="listen",
)
async def press_in_call(exchange: Exchange, asked: Keys) -> Accepted[CallObject]:
    """As DTMF, to the far end: for the menu that answered. A browser has no use for keys."""
    call = await exchange.store.calls.get(exchange.named("call_id"))
    if call.direction == "web":
        raise Conflict("web_call", "a browser has no use for keys that are pressed for it")
    return await _ask(exchange, Control("press", asked.digits, exchange.key_id))


@route(
    "POST",
    ONE + "/listen",
    "Listen in",
    {
        201: Answer("It waits for the browser to connect.", ListenerAnswer),
        409: "The call is not in progress on this server, or enough listen to it.",
        501: "`web.enabled` is off.",
    },
    scope="listen",
)
async def listen_to_call(exchange: Exchange, asked: ListenIn) -> Response:
    """Both sides of a live call, dialled, inbound or web, over WebRTC, until the listener leaves or
    the call ends. Neither side hears the listener. The call's events `call.listening_started` and
    `call.listening_ended` record who listened: the API key and the address.
    """
    web = web_calls(exchange)
    call = await exchange.store.calls.get(exchange.named("call_id"))
    client = exchange.request.client
    host = None if client is None else client.host
    sdp = await web.listen(call.id, asked, exchange.key_id, host)
    return Response(ListenerAnswer(sdp=sdp).model_dump_json(), 201, None, "application/json")


ENDPOINTS = route.endpoints
