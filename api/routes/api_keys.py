"""API keys over the API: making, reading and revoking them."""

from starlette.responses import JSONResponse, Response

from api.base.refusals import Conflict
from api.http.endpoint import LOCATION, Answer, EndpointTable, Exchange, Parameter
from api.http.paging import page_parameters, read_page_query
from api.resources.answer import Page
from api.resources.caps import KeyCaps
from api.resources.key import CreateKey, KeyObject, KeyWithSecret

PATH = "/v1/api_keys"
ONE = PATH + "/{key_id}"
KEY_ID = Parameter(
    "key_id",
    "path",
    "API key id.",
    {"type": "string", "format": "uuid"},
    "5b2f7a52-3a0f-4a57-9f0e-6d7f6f6f2c11",
)

route = EndpointTable("api keys", KEY_ID)


@route(
    "POST",
    PATH,
    "Make an API key",
    {201: Answer("The key, shown once.", KeyWithSecret, headers=LOCATION)},
    keeps_answer=True,
)
async def create_api_key(exchange: Exchange, asked: CreateKey) -> Response:
    """The key itself is in this answer and nowhere else: only its hash is stored."""
    values = asked.model_dump()
    caps = KeyCaps(**{name: values.pop(name) for name in vars(KeyCaps())})
    made, key = await exchange.store.keys.create(
        **values, idempotent=exchange.idempotent, caps=caps
    )
    shown = KeyWithSecret(**KeyObject.of(made).model_dump(), key=key)
    headers = {"Location": f"{PATH}/{made.id}", "Cache-Control": "no-store"}
    return JSONResponse(shown.model_dump(), 201, headers)


@route(
    "GET",
    PATH,
    "List API keys, newest first",
    query=page_parameters("Keys"),
    scope="admin",
)
async def list_api_keys(exchange: Exchange) -> Page[KeyObject]:
    """Revoked keys are listed too."""
    query = read_page_query(exchange)
    page = await exchange.store.keys.page(limit=query.limit, cursor=query.cursor)
    return Page[KeyObject].of(page)


@route("GET", ONE, "Read an API key", scope="admin")
async def get_api_key(exchange: Exchange) -> KeyObject:
    """What it may do; never the key itself."""
    return KeyObject.of(await exchange.store.keys.get(exchange.named("key_id")))


@route("POST", ONE + "/revoke", "Revoke an API key", {409: "It is the key that asks."})
async def revoke_api_key(exchange: Exchange) -> KeyObject:
    """From then on the key gets 401. Revoking it once more changes nothing.

    A key does not revoke itself: a script that goes through the list would lock itself out half
    way, and somebody is always left to make a new one. Use another `admin` key, or
    `offhook keys revoke` on the server.
    """
    keys = exchange.store.keys
    key = await keys.get(exchange.named("key_id"))
    assert exchange.key is not None
    if key.id == exchange.key.id:
        detail = "a key does not revoke itself; use another admin key, or offhook keys revoke"
        raise Conflict("own_key", detail)
    await keys.revoke(key.id)
    return KeyObject.of(await keys.get(key.id))


ENDPOINTS = route.endpoints
