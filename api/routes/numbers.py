"""Caller numbers."""

from api.http.endpoint import EndpointTable, Exchange, Parameter
from api.http.paging import page_parameters, read_page_query
from api.resources.answer import Created, Page
from api.resources.number import ChangeNumber, CreateNumber, NewNumber, NumberObject

PATH = "/v1/numbers"
ONE = PATH + "/{number_id}"
NUMBER_ID = Parameter(
    "number_id", "path", "Id of the caller number.", {"type": "string", "format": "uuid"}
)

route = EndpointTable("numbers", NUMBER_ID)


@route("POST", PATH, "Add a caller number", {409: "It is registered already."})
async def create_number(exchange: Exchange, asked: CreateNumber) -> Created[NumberObject]:
    """The trunk's provider must let you show it.

    `calls.numbers` of the settings are added by themselves at the start.
    """
    number = await exchange.store.numbers.create(NewNumber(**asked.model_dump()))
    return Created(NumberObject.of(number), f"{PATH}/{number.id}")


@route("GET", PATH, "List caller numbers, oldest first", query=page_parameters("Numbers"))
async def list_numbers(exchange: Exchange) -> Page[NumberObject]:
    """The first active one is the default of calls that name none."""
    query = read_page_query(exchange)
    page = await exchange.store.numbers.page(limit=query.limit, cursor=query.cursor)
    return Page[NumberObject].of(page)


@route("GET", ONE, "Read a caller number")
async def get_number(exchange: Exchange) -> NumberObject:
    """With the trunk that it belongs to, if any."""
    return NumberObject.of(await exchange.store.numbers.get(exchange.named("number_id")))


@route("PATCH", ONE, "Change, stop or start a caller number")
async def change_number(exchange: Exchange, asked: ChangeNumber) -> NumberObject:
    """Calls that wait keep the trunk that they were given."""
    numbers = exchange.store.numbers
    return NumberObject.of(await numbers.change(exchange.named("number_id"), asked.changes()))


@route("DELETE", ONE, "Delete a caller number", {409: "Calls that are not over show it."})
async def delete_number(exchange: Exchange) -> None:
    """Numbers in `calls.numbers` of the settings are there again after the next start."""
    await exchange.store.numbers.delete(exchange.named("number_id"))


ENDPOINTS = route.endpoints
