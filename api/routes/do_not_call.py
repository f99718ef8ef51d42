"""The do-not-call list."""

import contextlib
from collections.abc import AsyncIterator, Iterator

from starlette.responses import JSONResponse, Response

from api.body import parse_json
from api.csv_files import MEDIA_TYPE
from api.csv_transfer import MAX_FILE_BYTES, PARTIAL, export_csv, import_csv
from api.do_not_call_objects import (
    COLUMNS,
    AddDoNotCall,
    DoNotCallList,
    DoNotCallObject,
    do_not_call_csv,
    do_not_call_object,
    read_do_not_call,
)
from api.endpoint import Answer, Endpoint, Exchange, FileBody, Parameter, not_found
from api.fields import parse_fields
from api.import_object import ImportObject
from api.number_fields import E164_SCHEMA, PREFIX_SCHEMA, PREFIX_WANTED
from api.numbers import is_e164, is_prefix
from api.paging import bad_cursor, page_parameters, read_page_query
from api.problems import FieldError, invalid
from api.store.cursors import CursorError
from api.store.do_not_call import NotListedError

PATH = "/v1/do_not_call"
NUMBER = Parameter("number", "path", "The number, E.164.", E164_SCHEMA, "+15551234567")


async def add_do_not_call(exchange: Exchange) -> Response:
    """Calls that wait for the number end; one that is under way goes on.

    A number that is on the list stays as it is.
    """
    asked = parse_fields(AddDoNotCall, parse_json(exchange.body))
    listed, added = await exchange.services.store.do_not_call.add(asked.number, asked.reason)
    headers = {"Location": f"{PATH}/{listed.number}"} if added else {}
    return JSONResponse(do_not_call_object(listed), 201 if added else 200, headers)


async def list_do_not_call(exchange: Exchange) -> Response:
    """`prefix` asks for the numbers that begin so."""
    query = read_page_query(exchange, {"prefix": None})
    prefix = query.filters.get("prefix", "+")
    if not is_prefix(prefix):
        raise invalid([FieldError(PREFIX_WANTED, parameter="prefix")])
    try:
        page = await exchange.services.store.do_not_call.page(
            limit=query.limit, cursor=query.cursor, prefix=prefix
        )
    except CursorError as error:
        raise bad_cursor(error) from error
    return JSONResponse(
        {
            "data": [do_not_call_object(listed) for listed in page.items],
            "has_more": page.next_cursor is not None,
            "next_cursor": page.next_cursor,
        }
    )


async def get_do_not_call(exchange: Exchange) -> Response:
    """404 says that it may be called."""
    with _named(exchange) as number:
        listed = await exchange.services.store.do_not_call.get(number)
    return JSONResponse(do_not_call_object(listed))


async def delete_do_not_call(exchange: Exchange) -> Response:
    """Calls that it has ended stay ended."""
    with _named(exchange) as number:
        await exchange.services.store.do_not_call.delete(number)
    return Response(status_code=204)


async def import_do_not_call(exchange: Exchange) -> Response:
    """Columns are `number` (or `phone`, or `to`) and `reason`; a first line may name them. Spaces,
    brackets, dots, dashes and slashes in a number are left out. The file of an export is taken too.
    """
    return await import_csv(
        exchange, read_do_not_call, exchange.services.store.do_not_call.add_many
    )


async def export_do_not_call(exchange: Exchange) -> Response:
    """It can be imported again."""

    async def parts() -> AsyncIterator[str]:
        async for listed in exchange.services.store.do_not_call.every():
            yield do_not_call_csv(listed)

    return export_csv("do_not_call.csv", COLUMNS, parts())


@contextlib.contextmanager
def _named(exchange: Exchange) -> Iterator[str]:
    """The number in the path; 404 if it is not on the list."""
    number = exchange.request.path_params["number"]
    if not is_e164(number):
        raise not_found("number on the list")
    try:
        yield number
    except NotListedError as error:
        raise not_found("number on the list") from error


_NONE = Answer("It is not on the list.")

ENDPOINTS = (
    Endpoint(
        "POST",
        PATH,
        add_do_not_call,
        "Never call a number",
        "do not call",
        {
            200: Answer("It is on the list already.", DoNotCallObject),
            201: Answer("It is on the list.", DoNotCallObject, headers={"Location": "Its path."}),
            400: Answer("The body is not JSON."),
            422: Answer("A field is wrong."),
        },
        body=AddDoNotCall,
    ),
    Endpoint(
        "GET",
        PATH,
        list_do_not_call,
        "List numbers that are never called, the latest first",
        "do not call",
        {200: Answer("A page of the list.", DoNotCallList), 422: Answer("A parameter is wrong.")},
        parameters=(
            *page_parameters("Numbers"),
            Parameter(
                "prefix", "query", "Only numbers that begin so.", PREFIX_SCHEMA, example="+49"
            ),
        ),
    ),
    Endpoint(
        "POST",
        PATH + "/import",
        import_do_not_call,
        "Put a CSV file of numbers on the list",
        "do not call",
        {200: Answer("What came of it.", ImportObject), 422: Answer("A line is wrong.")},
        body=FileBody(
            MEDIA_TYPE, "number,reason\r\n+15551234567,asked by letter\r\n", MAX_FILE_BYTES
        ),
        parameters=(PARTIAL,),
    ),
    Endpoint(
        "GET",
        PATH + "/export",
        export_do_not_call,
        "The whole list as a CSV file",
        "do not call",
        {
            200: Answer(
                "The file.",
                media_type=MEDIA_TYPE,
                example="number,reason,source,call_id,created_at\r\n"
                "+15551234567,asked by letter,api,,2027-03-01T09:00:00.000Z\r\n",
            )
        },
    ),
    Endpoint(
        "GET",
        PATH + "/{number}",
        get_do_not_call,
        "Read whether a number is on the list",
        "do not call",
        {200: Answer("It is.", DoNotCallObject), 404: _NONE},
        parameters=(NUMBER,),
    ),
    Endpoint(
        "DELETE",
        PATH + "/{number}",
        delete_do_not_call,
        "Take a number off the list",
        "do not call",
        {204: Answer("It may be called again."), 404: _NONE},
        parameters=(NUMBER,),
    ),
)
