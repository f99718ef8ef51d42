"""Secrets: what tools name as `{{secret.name}}`."""

import re

from api.base.refusals import Invalid
from api.http.endpoint import EndpointTable, Exchange, Parameter
from api.http.paging import page_parameters, read_page_query
from api.resources.answer import Created, Page
from api.resources.secret import NAME_PATTERN, NamedSecretObject, PutSecret

PATH = "/v1/secrets"
ONE = PATH + "/{name}"
NAME = Parameter(
    "name",
    "path",
    "A letter, then letters, digits, `_` and `-`; up to 64.",
    {"type": "string", "pattern": f"^{NAME_PATTERN}$"},
    "crm",
)

route = EndpointTable("secrets", NAME)


@route("PUT", ONE, "Keep a secret")
async def put_secret(
    exchange: Exchange, asked: PutSecret
) -> NamedSecretObject | Created[NamedSecretObject]:
    """Tools name it as `{{secret.name}}` in headers, query parameters and bodies. What it was is
    gone; the next call uses the new text.
    """
    name = exchange.named("name")
    if re.fullmatch(NAME_PATTERN, name) is None:
        raise Invalid(NAME.description, parameter="name")
    sealed = exchange.services.seal.seal(asked.value)
    stored, added = await exchange.store.secrets.put(name, sealed)
    secret = NamedSecretObject.of(stored)
    return Created(secret, f"{PATH}/{name}") if added else secret


@route("GET", PATH, "List secrets, oldest first", query=page_parameters("Secrets"), scope="admin")
async def list_secrets(exchange: Exchange) -> Page[NamedSecretObject]:
    """Their names; nobody is told their texts."""
    query = read_page_query(exchange)
    page = await exchange.store.secrets.page(limit=query.limit, cursor=query.cursor)
    return Page[NamedSecretObject].of(page)


@route("DELETE", ONE, "Delete a secret")
async def delete_secret(exchange: Exchange) -> None:
    """Calls of agents whose tools name it are refused from now on."""
    await exchange.store.secrets.delete(exchange.named("name"))


ENDPOINTS = route.endpoints
