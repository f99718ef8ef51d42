"""Calendar connections: where agents look for free slots and book them (RV-25)."""

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from starlette.responses import JSONResponse, Response

from api.base.fields import parse_fields
from api.calendars.errors import CalendarError
from api.calendars.keeping import change_connection, create_connection
from api.calendars.opening import CalendarAccess
from api.calendars.slots import open_days, rules_of, span_of
from api.egress.guarded_http import tools_client
from api.http.body import parse_json
from api.http.endpoint import Answer, Endpoint, Exchange, Parameter, not_found
from api.http.paging import bad_cursor, page_parameters, read_page_query
from api.resources.calendar import (
    CalendarCheckObject,
    CalendarConnectionList,
    CalendarConnectionObject,
    ChangeCalendarConnection,
    CreateCalendarConnection,
    EventType,
    calendar_connection_object,
)
from api.store.calendars import UnknownCalendarError
from api.store.cursors import CursorError

PATH = "/v1/calendar_connections"
CONNECTION_ID = Parameter(
    "connection_id",
    "path",
    "Id of the connection.",
    {"type": "string", "format": "uuid"},
    "6f1c2d3e-4b5a-4c6d-8e7f-901234567890",
)
#: Names looked up at one time for a check.
_LOOKUPS: Final = 1


async def create_calendar_connection(exchange: Exchange) -> Response:
    """The server is not asked yet: `…/check` does that.

    A CalDAV server has a user name and a password for it; over `https://`, unless
    `tools.allow_http` permits plain HTTP.
    """
    asked = parse_fields(CreateCalendarConnection, parse_json(exchange.body))
    made = await create_connection(exchange.services, asked)
    location = {"Location": f"{PATH}/{made.id}"}
    return JSONResponse(calendar_connection_object(made), 201, location)


async def list_calendar_connections(exchange: Exchange) -> Response:
    """Passwords are masked."""
    query = read_page_query(exchange, {})
    try:
        page = await exchange.services.store.calendars.page(limit=query.limit, cursor=query.cursor)
    except CursorError as error:
        raise bad_cursor(error) from error
    return JSONResponse(
        {
            "data": [calendar_connection_object(one) for one in page.items],
            "has_more": page.next_cursor is not None,
            "next_cursor": page.next_cursor,
        }
    )


async def get_calendar_connection(exchange: Exchange) -> Response:
    """Its password is masked."""
    with _known(exchange) as connection_id:
        found = await exchange.services.store.calendars.get(connection_id)
    return JSONResponse(calendar_connection_object(found))


async def change_calendar_connection(exchange: Exchange) -> Response:
    """Holds for calls that are under way, too. The kind stays: make another connection."""
    asked = parse_fields(ChangeCalendarConnection, parse_json(exchange.body))
    with _known(exchange) as connection_id:
        changed = await change_connection(exchange.services, connection_id, asked)
    return JSONResponse(calendar_connection_object(changed))


async def delete_calendar_connection(exchange: Exchange) -> Response:
    """What is booked stays. Calls of agents whose tools name it are refused from now on."""
    with _known(exchange) as connection_id:
        await exchange.services.store.calendars.delete(connection_id)
    return Response(status_code=204)


async def check_calendar_connection(exchange: Exchange) -> Response:
    """Asks the calendar now, as a call would: whether it is one, can be read, and, of kind
    `caldav`, may be written to. Nothing is written.
    """
    services = exchange.services
    with _known(exchange) as connection_id:
        connection = await services.store.calendars.get(connection_id)
    rules = rules_of(EventType.model_validate(connection.event_types[0]))
    today, last = open_days(rules, datetime.now(UTC))
    async with (
        tools_client(services.settings.tools, _LOOKUPS) as client,
        contextlib.aclosing(CalendarAccess(client, services.seal)) as access,
    ):
        try:
            calendar = access.open(connection)
            await calendar.check()
            busy = await calendar.busy(span_of(rules, today, last), rules.zone)
        except CalendarError as error:
            told = CalendarCheckObject(ok=False, detail=str(error))
        else:
            detail = f"{len(busy)} busy times from {today} to {last}"
            told = CalendarCheckObject(ok=True, detail=detail)
    return JSONResponse(told.model_dump())


@contextlib.contextmanager
def _known(exchange: Exchange) -> Iterator[str]:
    try:
        yield exchange.request.path_params["connection_id"]
    except UnknownCalendarError as error:
        raise not_found("calendar connection") from error


_NONE = Answer("No such connection.")
_WRONG = Answer("A field is wrong.")
_MALFORMED = Answer("The body is not JSON.")

ENDPOINTS = (
    Endpoint(
        "POST",
        PATH,
        create_calendar_connection,
        "Connect a calendar",
        "calendars",
        {
            201: Answer("It is kept.", CalendarConnectionObject, headers={"Location": "Its path."}),
            400: _MALFORMED,
            422: _WRONG,
        },
        body=CreateCalendarConnection,
    ),
    Endpoint(
        "GET",
        PATH,
        list_calendar_connections,
        "List calendar connections, oldest first",
        "calendars",
        {
            200: Answer("A page of connections.", CalendarConnectionList),
            422: Answer("A parameter is wrong."),
        },
        parameters=page_parameters("Connections"),
        scope="admin",
    ),
    Endpoint(
        "GET",
        PATH + "/{connection_id}",
        get_calendar_connection,
        "Read a calendar connection",
        "calendars",
        {200: Answer("The connection.", CalendarConnectionObject), 404: _NONE},
        parameters=(CONNECTION_ID,),
        scope="admin",
    ),
    Endpoint(
        "PATCH",
        PATH + "/{connection_id}",
        change_calendar_connection,
        "Change a calendar connection",
        "calendars",
        {
            200: Answer("The connection as it is now.", CalendarConnectionObject),
            400: _MALFORMED,
            404: _NONE,
            422: _WRONG,
        },
        body=ChangeCalendarConnection,
        parameters=(CONNECTION_ID,),
    ),
    Endpoint(
        "DELETE",
        PATH + "/{connection_id}",
        delete_calendar_connection,
        "Delete a calendar connection",
        "calendars",
        {204: Answer("It is gone."), 404: _NONE},
        parameters=(CONNECTION_ID,),
    ),
    Endpoint(
        "POST",
        PATH + "/{connection_id}/check",
        check_calendar_connection,
        "Ask a calendar whether it works",
        "calendars",
        {200: Answer("What it said.", CalendarCheckObject), 404: _NONE},
        parameters=(CONNECTION_ID,),
    ),
)
