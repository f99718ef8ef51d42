"""API keys over the API: making, reading and revoking them."""

from typing import Any

from starlette.responses import JSONResponse, Response

from api.base.fields import parse_fields
from api.base.problems import Problem
from api.http.body import parse_json
from api.http.endpoint import Answer, Endpoint, Exchange, Parameter, not_found
from api.http.paging import bad_cursor, page_parameters, read_page_query
from api.resources.key import ApiKey, CreateKey, KeyList, KeyObject, KeyWithSecret, key_object
from api.store.cursors import CursorError
from api.store.keys import UnknownKeyError

PATH = "/v1/api_keys"
KEY_ID = Parameter(
    "key_id",
    "path",
    "API key id.",
    {"type": "string", "format": "uuid"},
    "5b2f7a52-3a0f-4a57-9f0e-6d7f6f6f2c11",
)


async def create_api_key(exchange: Exchange) -> Response:
    """The key itself is in this answer and nowhere else: only its hash is stored."""
    asked = parse_fields(CreateKey, parse_json(exchange.body))
    key, secret = await exchange.services.store.keys.create(
        asked.name,
        asked.scope,
        asked.rate_limit_per_minute,
        exchange.idempotent,
        asked.dialect,
        caps=asked.caps,
    )
    content = key_object(key) | {"key": secret}
    headers = {"Location": f"{PATH}/{key.id}", "Cache-Control": "no-store"}
    return JSONResponse(content, 201, headers)


async def list_api_keys(exchange: Exchange) -> Response:
    """Revoked keys are listed too."""
    query = read_page_query(exchange, {})
    try:
        page = await exchange.services.store.keys.page(limit=query.limit, cursor=query.cursor)
    except CursorError as error:
        raise bad_cursor(error) from error
    content: dict[str, Any] = {
        "data": [key_object(key) for key in page.keys],
        "has_more": page.next_cursor is not None,
        "next_cursor": page.next_cursor,
    }
    return JSONResponse(content)


async def get_api_key(exchange: Exchange) -> Response:
    """What it may do; never the key itself."""
    return JSONResponse(key_object(await _find(exchange)))


async def revoke_api_key(exchange: Exchange) -> Response:
    """From then on the key gets 401. Revoking it once more changes nothing.

    A key does not revoke itself: a script that goes through the list would lock itself out half
    way, and somebody is always left to make a new one. Use another `admin` key, or
    `offhook keys revoke` on the server.
    """
    key = await _find(exchange)
    assert exchange.key is not None
    if key.id == exchange.key.id:
        detail = "a key does not revoke itself; use another admin key, or offhook keys revoke"
        raise Problem(409, "own_key", detail)
    await exchange.services.store.keys.revoke(key.id)
    return JSONResponse(key_object(await _find(exchange)))


async def _find(exchange: Exchange) -> ApiKey:
    try:
        return await exchange.services.store.keys.get(exchange.request.path_params["key_id"])
    except UnknownKeyError as error:
        raise not_found("API key") from error


_NONE = Answer("No such API key.")

ENDPOINTS = (
    Endpoint(
        "POST",
        PATH,
        create_api_key,
        "Make an API key",
        "api keys",
        {
            201: Answer("The key, shown once.", KeyWithSecret, headers={"Location": "Its path."}),
            400: Answer("The body is not JSON."),
            422: Answer("A field is wrong."),
        },
        body=CreateKey,
        keeps_answer=True,
    ),
    Endpoint(
        "GET",
        PATH,
        list_api_keys,
        "List API keys, newest first",
        "api keys",
        {200: Answer("A page of keys.", KeyList), 422: Answer("A parameter is wrong.")},
        parameters=page_parameters("Keys"),
        scope="admin",
    ),
    Endpoint(
        "GET",
        PATH + "/{key_id}",
        get_api_key,
        "Read an API key",
        "api keys",
        {200: Answer("The key.", KeyObject), 404: _NONE},
        parameters=(KEY_ID,),
        scope="admin",
    ),
    Endpoint(
        "POST",
        PATH + "/{key_id}/revoke",
        revoke_api_key,
        "Revoke an API key",
        "api keys",
        {
            200: Answer("The key, revoked.", KeyObject),
            404: _NONE,
            409: Answer("It is the key that asks."),
        },
        parameters=(KEY_ID,),
    ),
)
