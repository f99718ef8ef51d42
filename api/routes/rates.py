"""The rate card."""

from starlette.responses import Response

from api.base.csv_files import MEDIA_TYPE
from api.base.numbers import PREFIX_SCHEMA, PREFIX_WANTED, is_prefix
from api.base.refusals import Invalid
from api.http.csv_transfer import MAX_FILE_BYTES, PARTIAL, export_csv, import_csv
from api.http.endpoint import Answer, EndpointTable, Exchange, FileBody, Parameter
from api.http.paging import page_parameters, read_page_query
from api.resources.answer import Created, Page
from api.resources.csv_import import ImportObject
from api.resources.rate import COLUMNS, NewRate, PutRate, RateObject, rates_csv, read_rates

PATH = "/v1/rates"
ONE = PATH + "/{prefix}"
PREFIX = Parameter(
    "prefix", "path", "How the numbers begin; `+` is every number.", PREFIX_SCHEMA, "+49"
)
_EXAMPLE = (
    "prefix,milli_cents_per_minute,increment_seconds,minimum_seconds,description\r\n"
    "+49,1200,60,60,Germany\r\n"
)
_IMPORT = FileBody(MEDIA_TYPE, _EXAMPLE, MAX_FILE_BYTES)
_FILE = Answer("The file.", media_type=MEDIA_TYPE, example=_EXAMPLE)

route = EndpointTable("money", PREFIX)


@route("PUT", ONE, "Set what calls cost")
async def put_rate(exchange: Exchange, asked: PutRate) -> RateObject | Created[RateObject]:
    """Calls that were placed before keep the price that they were placed at."""
    prefix = exchange.named("prefix")
    if not is_prefix(prefix):
        raise Invalid(PREFIX_WANTED, parameter="prefix")
    stored, added = await exchange.store.rates.put(NewRate(prefix, **asked.model_dump()))
    rate = RateObject.of(stored)
    return Created(rate, f"{PATH}/{prefix}") if added else rate


@route("GET", PATH, "List rates, by prefix", query=page_parameters("Rates"))
async def list_rates(exchange: Exchange) -> Page[RateObject]:
    """A number costs what its longest prefix says."""
    query = read_page_query(exchange)
    page = await exchange.store.rates.page(limit=query.limit, cursor=query.cursor)
    return Page[RateObject].of(page)


@route("GET", ONE, "Read a rate")
async def get_rate(exchange: Exchange) -> RateObject:
    """Of exactly this prefix."""
    return RateObject.of(await exchange.store.rates.get(exchange.named("prefix")))


@route("DELETE", ONE, "Delete a rate")
async def delete_rate(exchange: Exchange) -> None:
    """Numbers with this prefix cost what a shorter one says, else nothing; with a limit on the
    budget they are not called."""
    await exchange.store.rates.delete(exchange.named("prefix"))


@route(
    "POST",
    PATH + "/import",
    "Put a CSV file of rates on the rate card",
    body=_IMPORT,
    query=(PARTIAL,),
)
async def import_rates(exchange: Exchange) -> ImportObject:
    """Prefixes that are on the rate card are replaced, others stay. A first line may name the
    columns."""
    return await import_csv(exchange, read_rates, exchange.store.rates.put_many)


@route("GET", PATH + "/export", "The whole rate card as a CSV file", {200: _FILE})
async def export_rates(exchange: Exchange) -> Response:
    """It can be imported again."""
    parts = (rates_csv(rates) async for rates in exchange.store.rates.every())
    return export_csv("rates.csv", COLUMNS, parts)


ENDPOINTS = route.endpoints
