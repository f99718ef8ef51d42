"""Caller numbers (CB-17…20)."""

import contextlib
from collections.abc import Iterator

from starlette.responses import JSONResponse, Response

from api.body import parse_json
from api.endpoint import Answer, Endpoint, Exchange, Parameter, not_found
from api.fields import parse_fields
from api.paging import bad_cursor, page_parameters, read_page_query
from api.problems import FieldError, Problem, invalid, pointer
from api.resources import NewNumber
from api.store.cursors import CursorError
from api.store.numbers import NumberInUseError, NumberTakenError, UnknownNumberError
from api.store.trunks import UnknownTrunkError
from api.trunk_objects import ChangeNumber, CreateNumber, NumberList, NumberObject, number_object

PATH = "/v1/numbers"
NUMBER_ID = Parameter(
    "number_id",
    "path",
    "Id of the caller number.",
    {"type": "string", "format": "uuid"},
)


async def create_number(exchange: Exchange) -> Response:
    """The trunk's provider must let you show it.

    `calls.numbers` of the settings are added by themselves at the start.
    """
    asked = parse_fields(CreateNumber, parse_json(exchange.body))
    try:
        with _found():
            number = await exchange.services.store.numbers.create(NewNumber(**asked.model_dump()))
    except NumberTakenError as error:
        raise Problem(409, "number_taken", "the number is registered already") from error
    return JSONResponse(number_object(number), 201, {"Location": f"{PATH}/{number.id}"})


async def list_numbers(exchange: Exchange) -> Response:
    """The first active one is the default of calls that name none."""
    query = read_page_query(exchange, {})
    try:
        page = await exchange.services.store.numbers.page(limit=query.limit, cursor=query.cursor)
    except CursorError as error:
        raise bad_cursor(error) from error
    return JSONResponse(
        {
            "data": [number_object(number) for number in page.items],
            "has_more": page.next_cursor is not None,
            "next_cursor": page.next_cursor,
        }
    )


async def get_number(exchange: Exchange) -> Response:
    """With the trunk that it belongs to, if any."""
    with _found():
        number = await exchange.services.store.numbers.get(_id(exchange))
    return JSONResponse(number_object(number))


async def change_number(exchange: Exchange) -> Response:
    """Calls that wait keep the trunk that they were given."""
    asked = parse_fields(ChangeNumber, parse_json(exchange.body))
    changes = asked.model_dump(include=asked.model_fields_set)
    with _found():
        number = await exchange.services.store.numbers.change(_id(exchange), changes)
    return JSONResponse(number_object(number))


async def delete_number(exchange: Exchange) -> Response:
    """Numbers in `calls.numbers` of the settings are there again after the next start."""
    try:
        with _found():
            await exchange.services.store.numbers.delete(_id(exchange))
    except NumberInUseError as error:
        detail = f"the number is in use ({error}); make it inactive, or try again later"
        raise Problem(409, "number_in_use", detail) from error
    return Response(status_code=204)


def _id(exchange: Exchange) -> str:
    number_id: str = exchange.request.path_params["number_id"]
    return number_id


@contextlib.contextmanager
def _found() -> Iterator[None]:
    """What the store does not find becomes its problem."""
    try:
        yield
    except UnknownNumberError as error:
        raise not_found("caller number") from error
    except UnknownTrunkError as error:
        detail = "there is no such trunk; /v1/trunks lists them"
        raise invalid([FieldError(detail, pointer("trunk"))]) from error


_NONE = Answer("No such caller number.")
_WRONG = Answer("A field is wrong.")
_MALFORMED = Answer("The body is not JSON.")

ENDPOINTS = (
    Endpoint(
        "POST",
        PATH,
        create_number,
        "Add a caller number",
        "numbers",
        {
            201: Answer("It is added.", NumberObject, headers={"Location": "Its path."}),
            400: _MALFORMED,
            409: Answer("It is registered already."),
            422: _WRONG,
        },
        body=CreateNumber,
    ),
    Endpoint(
        "GET",
        PATH,
        list_numbers,
        "List caller numbers, oldest first",
        "numbers",
        {200: Answer("A page of numbers.", NumberList), 422: Answer("A parameter is wrong.")},
        parameters=page_parameters("Numbers"),
    ),
    Endpoint(
        "GET",
        PATH + "/{number_id}",
        get_number,
        "Read a caller number",
        "numbers",
        {200: Answer("The number.", NumberObject), 404: _NONE},
        parameters=(NUMBER_ID,),
    ),
    Endpoint(
        "PATCH",
        PATH + "/{number_id}",
        change_number,
        "Change, stop or start a caller number",
        "numbers",
        {
            200: Answer("The number as it is now.", NumberObject),
            400: _MALFORMED,
            404: _NONE,
            422: _WRONG,
        },
        body=ChangeNumber,
        parameters=(NUMBER_ID,),
    ),
    Endpoint(
        "DELETE",
        PATH + "/{number_id}",
        delete_number,
        "Delete a caller number",
        "numbers",
        {
            204: Answer("It is gone."),
            404: _NONE,
            409: Answer("Calls that are not over show it."),
        },
        parameters=(NUMBER_ID,),
    ),
)
