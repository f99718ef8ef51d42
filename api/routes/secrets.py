"""Secrets: what tools name as `{{secret.name}}` (X-RV-5)."""

import re

from starlette.responses import JSONResponse, Response

from api.body import parse_json
from api.endpoint import Answer, Endpoint, Exchange, Parameter, not_found
from api.fields import parse_fields
from api.paging import bad_cursor, page_parameters, read_page_query
from api.problems import FieldError, invalid
from api.secret_objects import NAME_PATTERN, NamedSecretObject, PutSecret, SecretList, secret_object
from api.store.cursors import CursorError
from api.store.secrets import UnknownSecretError

PATH = "/v1/secrets"
NAME = Parameter(
    "name",
    "path",
    "A letter, then letters, digits, `_` and `-`; up to 64.",
    {"type": "string", "pattern": f"^{NAME_PATTERN}$"},
    "crm",
)


async def put_secret(exchange: Exchange) -> Response:
    """Tools name it as `{{secret.name}}` in headers, query parameters and bodies. What it was is
    gone; the next call uses the new text.
    """
    name = exchange.request.path_params["name"]
    if re.fullmatch(NAME_PATTERN, name) is None:
        raise invalid([FieldError(NAME.description, parameter="name")])
    asked = parse_fields(PutSecret, parse_json(exchange.body))
    services = exchange.services
    stored, added = await services.store.secrets.put(name, services.seal.seal(asked.value))
    headers = {"Location": f"{PATH}/{name}"} if added else {}
    return JSONResponse(secret_object(stored), 201 if added else 200, headers)


async def list_secrets(exchange: Exchange) -> Response:
    """Their names; nobody is told their texts."""
    query = read_page_query(exchange, {})
    try:
        page = await exchange.services.store.secrets.page(limit=query.limit, cursor=query.cursor)
    except CursorError as error:
        raise bad_cursor(error) from error
    return JSONResponse(
        {
            "data": [secret_object(secret) for secret in page.items],
            "has_more": page.next_cursor is not None,
            "next_cursor": page.next_cursor,
        }
    )


async def delete_secret(exchange: Exchange) -> Response:
    """Calls of agents whose tools name it are refused from now on."""
    try:
        await exchange.services.store.secrets.delete(exchange.request.path_params["name"])
    except UnknownSecretError as error:
        raise not_found("secret") from error
    return Response(status_code=204)


ENDPOINTS = (
    Endpoint(
        "GET",
        PATH,
        list_secrets,
        "List secrets, oldest first",
        "secrets",
        {200: Answer("A page of names.", SecretList), 422: Answer("A parameter is wrong.")},
        parameters=page_parameters("Secrets"),
        scope="admin",
    ),
    Endpoint(
        "PUT",
        PATH + "/{name}",
        put_secret,
        "Keep a secret",
        "secrets",
        {
            200: Answer("The secret is replaced.", NamedSecretObject),
            201: Answer(
                "The secret is added.", NamedSecretObject, headers={"Location": "Its path."}
            ),
            400: Answer("The body is not JSON."),
            422: Answer("A field or the name is wrong."),
        },
        body=PutSecret,
        parameters=(NAME,),
    ),
    Endpoint(
        "DELETE",
        PATH + "/{name}",
        delete_secret,
        "Delete a secret",
        "secrets",
        {204: Answer("It is gone."), 404: Answer("No secret has this name.")},
        parameters=(NAME,),
    ),
)
