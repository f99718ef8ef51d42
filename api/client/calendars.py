"""Calendars that agents look at and book in."""

from collections.abc import AsyncGenerator

from api.client.transport import Json, Transport, at
from api.resources.calendar import (
    CalendarCheckObject,
    CalendarConnectionObject,
    ChangeCalendarConnection,
    CreateCalendarConnection,
)


class Calendars(Transport):
    """`/v1/calendar_connections`."""

    async def create_calendar_connection(
        self, body: CreateCalendarConnection | Json
    ) -> CalendarConnectionObject:
        """Connect a calendar."""
        return await self._post(CalendarConnectionObject, at("calendar_connections"), body)

    def list_calendar_connections(self) -> AsyncGenerator[CalendarConnectionObject, None]:
        """Every connection, oldest first."""
        return self._every(CalendarConnectionObject, at("calendar_connections"))

    async def get_calendar_connection(self, connection_id: str) -> CalendarConnectionObject:
        """A connection; its password is masked."""
        path = at("calendar_connections", connection_id)
        return await self._get(CalendarConnectionObject, path)

    async def change_calendar_connection(
        self, connection_id: str, body: ChangeCalendarConnection | Json
    ) -> CalendarConnectionObject:
        """Change what `body` names."""
        path = at("calendar_connections", connection_id)
        return await self._write(CalendarConnectionObject, "PATCH", path, body)

    async def delete_calendar_connection(self, connection_id: str) -> None:
        """Disconnect a calendar."""
        await self.request("DELETE", at("calendar_connections", connection_id))

    async def check_calendar_connection(self, connection_id: str) -> CalendarCheckObject:
        """Ask the calendar now whether it works."""
        path = at("calendar_connections", connection_id, "check")
        return await self._post(CalendarCheckObject, path)
