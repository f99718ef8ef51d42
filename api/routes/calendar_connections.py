"""Calendar connections: where agents look for free slots and book them."""

import contextlib
from datetime import UTC, datetime
from typing import Final

from api.calendars.errors import CalendarError
from api.calendars.keeping import change_connection, create_connection
from api.calendars.opening import CalendarAccess
from api.calendars.slots import open_days, rules_of, span_of
from api.egress.guarded_http import tools_client
from api.http.endpoint import EndpointTable, Exchange, Parameter
from api.http.paging import page_parameters, read_page_query
from api.resources.answer import Created, Page
from api.resources.calendar import (
    CalendarCheckObject,
    CalendarConnectionObject,
    ChangeCalendarConnection,
    CreateCalendarConnection,
    EventType,
)

PATH = "/v1/calendar_connections"
ONE = PATH + "/{connection_id}"
CONNECTION_ID = Parameter(
    "connection_id",
    "path",
    "Id of the connection.",
    {"type": "string", "format": "uuid"},
    "6f1c2d3e-4b5a-4c6d-8e7f-901234567890",
)
#: Names looked up at one time for a check.
_LOOKUPS: Final = 1

route = EndpointTable("calendars", CONNECTION_ID)


@route("POST", PATH, "Connect a calendar")
async def create_calendar_connection(
    exchange: Exchange, asked: CreateCalendarConnection
) -> Created[CalendarConnectionObject]:
    """The server is not asked yet: `…/check` does that.

    A CalDAV server has a user name and a password for it; over `https://`, unless
    `tools.allow_http` permits plain HTTP.
    """
    made = await create_connection(exchange.services, asked)
    return Created(CalendarConnectionObject.of(made), f"{PATH}/{made.id}")


@route(
    "GET",
    PATH,
    "List calendar connections, oldest first",
    query=page_parameters("Connections"),
    scope="admin",
)
async def list_calendar_connections(exchange: Exchange) -> Page[CalendarConnectionObject]:
    """Passwords are masked."""
    query = read_page_query(exchange)
    page = await exchange.store.calendars.page(limit=query.limit, cursor=query.cursor)
    return Page[CalendarConnectionObject].of(page)


@route("GET", ONE, "Read a calendar connection", scope="admin")
async def get_calendar_connection(exchange: Exchange) -> CalendarConnectionObject:
    """Its password is masked."""
    found = await exchange.store.calendars.get(exchange.named("connection_id"))
    return CalendarConnectionObject.of(found)


@route("PATCH", ONE, "Change a calendar connection")
async def change_calendar_connection(
    exchange: Exchange, asked: ChangeCalendarConnection
) -> CalendarConnectionObject:
    """Holds for calls that are under way, too. The kind stays: make another connection."""
    connection_id = exchange.named("connection_id")
    changed = await change_connection(exchange.services, connection_id, asked)
    return CalendarConnectionObject.of(changed)


@route("DELETE", ONE, "Delete a calendar connection")
async def delete_calendar_connection(exchange: Exchange) -> None:
    """What is booked stays. Calls of agents whose tools name it are refused from now on."""
    await exchange.store.calendars.delete(exchange.named("connection_id"))


@route("POST", ONE + "/check", "Ask a calendar whether it works")
async def check_calendar_connection(exchange: Exchange) -> CalendarCheckObject:
    """Asks the calendar now, as a call would: whether it is one, can be read, and, of kind
    `caldav`, may be written to. Nothing is written.
    """
    services = exchange.services
    connection = await services.store.calendars.get(exchange.named("connection_id"))
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
            return CalendarCheckObject(ok=False, detail=str(error))
    return CalendarCheckObject(ok=True, detail=f"{len(busy)} busy times from {today} to {last}")


ENDPOINTS = route.endpoints
