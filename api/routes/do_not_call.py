"""The do-not-call list."""

from starlette.responses import Response

from api.base.csv_files import MEDIA_TYPE
from api.base.numbers import E164_SCHEMA, PREFIX_SCHEMA, PREFIX_WANTED, is_prefix
from api.base.refusals import Invalid
from api.http.csv_transfer import MAX_FILE_BYTES, PARTIAL, export_csv, import_csv
from api.http.endpoint import Answer, EndpointTable, Exchange, FileBody, Parameter
from api.http.paging import page_parameters, read_page_query
from api.resources.answer import Created, Page
from api.resources.csv_import import ImportObject
from api.resources.do_not_call import (
    COLUMNS,
    AddDoNotCall,
    DoNotCallObject,
    do_not_call_csv,
    read_do_not_call,
)

PATH = "/v1/do_not_call"
ONE = PATH + "/{number}"
NUMBER = Parameter("number", "path", "The number, E.164.", E164_SCHEMA, "+15551234567")
BEGINNING = Parameter("prefix", "query", "Only numbers that begin so.", PREFIX_SCHEMA, "+49")
_IMPORT = FileBody(MEDIA_TYPE, "number,reason\r\n+15551234567,asked by letter\r\n", MAX_FILE_BYTES)
_FILE = Answer(
    "The file.",
    media_type=MEDIA_TYPE,
    example="number,reason,source,call_id,created_at\r\n"
    "+15551234567,asked by letter,api,,2027-03-01T09:00:00.000Z\r\n",
)

route = EndpointTable("do not call", NUMBER)


@route("POST", PATH, "Never call a number")
async def add_do_not_call(
    exchange: Exchange, asked: AddDoNotCall
) -> DoNotCallObject | Created[DoNotCallObject]:
    """Calls that wait for the number end; one that is under way goes on.

    A number that is on the list stays as it is.
    """
    stored, added = await exchange.store.do_not_call.add(asked.number, asked.reason)
    listed = DoNotCallObject.of(stored)
    return Created(listed, f"{PATH}/{listed.number}") if added else listed


@route(
    "GET",
    PATH,
    "List numbers that are never called, the latest first",
    query=(*page_parameters("Numbers"), BEGINNING),
)
async def list_do_not_call(exchange: Exchange) -> Page[DoNotCallObject]:
    """`prefix` asks for the numbers that begin so."""
    query = read_page_query(exchange, {"prefix": None})
    prefix = query.filters.get("prefix", "+")
    if not is_prefix(prefix):
        raise Invalid(PREFIX_WANTED, parameter="prefix")
    page = await exchange.store.do_not_call.page(
        limit=query.limit, cursor=query.cursor, prefix=prefix
    )
    return Page[DoNotCallObject].of(page)


@route("GET", ONE, "Read whether a number is on the list")
async def get_do_not_call(exchange: Exchange) -> DoNotCallObject:
    """404 says that it may be called."""
    return DoNotCallObject.of(await exchange.store.do_not_call.get(exchange.named("number")))


@route("DELETE", ONE, "Take a number off the list")
async def delete_do_not_call(exchange: Exchange) -> None:
    """Calls that it has ended stay ended."""
    await exchange.store.do_not_call.delete(exchange.named("number"))


@route(
    "POST",
    PATH + "/import",
    "Put a CSV file of numbers on the list",
    body=_IMPORT,
    query=(PARTIAL,),
)
async def import_do_not_call(exchange: Exchange) -> ImportObject:
    """Columns are `number` (or `phone`, or `to`) and `reason`; a first line may name them. Spaces,
    brackets, dots, dashes and slashes in a number are left out. The file of an export is taken too.
    """
    return await import_csv(exchange, read_do_not_call, exchange.store.do_not_call.add_many)


@route("GET", PATH + "/export", "The whole list as a CSV file", {200: _FILE})
async def export_do_not_call(exchange: Exchange) -> Response:
    """It can be imported again."""
    parts = (do_not_call_csv(listed) async for listed in exchange.store.do_not_call.every())
    return export_csv("do_not_call.csv", COLUMNS, parts)


ENDPOINTS = route.endpoints
