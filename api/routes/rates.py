"""The rate card."""

import contextlib
from collections.abc import AsyncIterator, Iterator

from starlette.responses import JSONResponse, Response

from api.body import parse_json
from api.csv_files import MEDIA_TYPE
from api.csv_transfer import MAX_FILE_BYTES, PARTIAL, export_csv, import_csv
from api.endpoint import Answer, Endpoint, Exchange, FileBody, Parameter, not_found
from api.fields import parse_fields
from api.import_object import ImportObject
from api.money_objects import (
    COLUMNS,
    PutRate,
    RateList,
    RateObject,
    rate_object,
    rates_csv,
    read_rates,
)
from api.number_fields import PREFIX_SCHEMA, PREFIX_WANTED
from api.numbers import is_prefix
from api.paging import bad_cursor, page_parameters, read_page_query
from api.problems import FieldError, invalid
from api.store.cursors import CursorError
from api.store.rates import UnknownRateError

PATH = "/v1/rates"
PREFIX = Parameter(
    "prefix", "path", "How the numbers begin; `+` is every number.", PREFIX_SCHEMA, "+49"
)
_EXAMPLE = (
    "prefix,milli_cents_per_minute,increment_seconds,minimum_seconds,description\r\n"
    "+49,1200,60,60,Germany\r\n"
)


async def put_rate(exchange: Exchange) -> Response:
    """Calls that were placed before keep the price that they were placed at."""
    prefix = exchange.request.path_params["prefix"]
    if not is_prefix(prefix):
        raise invalid([FieldError(PREFIX_WANTED, parameter="prefix")])
    asked = parse_fields(PutRate, parse_json(exchange.body))
    stored, added = await exchange.services.store.rates.put(asked.of(prefix))
    headers = {"Location": f"{PATH}/{prefix}"} if added else {}
    return JSONResponse(rate_object(stored), 201 if added else 200, headers)


async def list_rates(exchange: Exchange) -> Response:
    """A number costs what its longest prefix says."""
    query = read_page_query(exchange, {})
    try:
        page = await exchange.services.store.rates.page(limit=query.limit, cursor=query.cursor)
    except CursorError as error:
        raise bad_cursor(error) from error
    return JSONResponse(
        {
            "data": [rate_object(stored) for stored in page.items],
            "has_more": page.next_cursor is not None,
            "next_cursor": page.next_cursor,
        }
    )


async def get_rate(exchange: Exchange) -> Response:
    """Of exactly this prefix."""
    with _named(exchange) as prefix:
        return JSONResponse(rate_object(await exchange.services.store.rates.get(prefix)))


async def delete_rate(exchange: Exchange) -> Response:
    """Numbers with this prefix cost what a shorter one says, else nothing; with a limit on the
    budget they are not called."""
    with _named(exchange) as prefix:
        await exchange.services.store.rates.delete(prefix)
    return Response(status_code=204)


async def import_rates(exchange: Exchange) -> Response:
    """Prefixes that are on the rate card are replaced, others stay. A first line may name the
    columns."""
    return await import_csv(exchange, read_rates, exchange.services.store.rates.put_many)


async def export_rates(exchange: Exchange) -> Response:
    """It can be imported again."""

    async def parts() -> AsyncIterator[str]:
        async for rates in exchange.services.store.rates.every():
            yield rates_csv(rates)

    return export_csv("rates.csv", COLUMNS, parts())


@contextlib.contextmanager
def _named(exchange: Exchange) -> Iterator[str]:
    """The prefix in the path; 404 if it has no rate."""
    prefix = exchange.request.path_params["prefix"]
    if not is_prefix(prefix):
        raise not_found("rate")
    try:
        yield prefix
    except UnknownRateError as error:
        raise not_found("rate") from error


_NONE = Answer("No rate has this prefix.")

ENDPOINTS = (
    Endpoint(
        "GET",
        PATH,
        list_rates,
        "List rates, by prefix",
        "money",
        {200: Answer("A page of the rate card.", RateList), 422: Answer("A parameter is wrong.")},
        parameters=page_parameters("Rates"),
    ),
    Endpoint(
        "POST",
        PATH + "/import",
        import_rates,
        "Put a CSV file of rates on the rate card",
        "money",
        {200: Answer("What came of it.", ImportObject), 422: Answer("A line is wrong.")},
        body=FileBody(MEDIA_TYPE, _EXAMPLE, MAX_FILE_BYTES),
        parameters=(PARTIAL,),
    ),
    Endpoint(
        "GET",
        PATH + "/export",
        export_rates,
        "The whole rate card as a CSV file",
        "money",
        {200: Answer("The file.", media_type=MEDIA_TYPE, example=_EXAMPLE)},
    ),
    Endpoint(
        "GET",
        PATH + "/{prefix}",
        get_rate,
        "Read a rate",
        "money",
        {200: Answer("The rate.", RateObject), 404: _NONE},
        parameters=(PREFIX,),
    ),
    Endpoint(
        "PUT",
        PATH + "/{prefix}",
        put_rate,
        "Set what calls cost",
        "money",
        {
            200: Answer("The rate is replaced.", RateObject),
            201: Answer("The rate is added.", RateObject, headers={"Location": "Its path."}),
            400: Answer("The body is not JSON."),
            422: Answer("A field or the prefix is wrong."),
        },
        body=PutRate,
        parameters=(PREFIX,),
    ),
    Endpoint(
        "DELETE",
        PATH + "/{prefix}",
        delete_rate,
        "Delete a rate",
        "money",
        {204: Answer("It is gone."), 404: _NONE},
        parameters=(PREFIX,),
    ),
)
