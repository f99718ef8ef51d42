"""From a stored connection to the calendar itself."""

import asyncio
from typing import Final
from weakref import WeakValueDictionary

import httpx

from api.calendars.caldav import CalDav
from api.calendars.errors import CalendarError
from api.calendars.feed import Feed
from api.calendars.http import CalendarHttp
from api.calendars.reader import Reader
from api.egress.sealing import Seal, SealError
from api.resources.calendar import CalendarConnection

#: Seconds that a calendar has for each request.
TIMEOUT_S: Final = 10.0


class CalendarAccess:
    """Opens calendars; each is booked in by one at a time."""

    def __init__(self, client: httpx.AsyncClient, seal: Seal, timeout_s: float = TIMEOUT_S) -> None:
        """
        Args:
            client: `api.egress.guarded_http.tools_client`.
            seal: what opens passwords.
            timeout_s: for each request.
        """
        self._client = client
        self._seal = seal
        self._timeout_s = timeout_s
        self._reader = Reader()
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def aclose(self) -> None:
        """End its processes."""
        await self._reader.aclose()

    def open(self, connection: CalendarConnection) -> CalDav | Feed:
        """Its calendar. Raises CalendarError."""
        sealed = connection.sealed_password
        try:
            password = None if sealed is None else self._seal.open(sealed)
        except SealError as error:
            raise CalendarError(f"its password cannot be opened: {error}") from error
        http = CalendarHttp(self._client, self._timeout_s, connection.username, password)
        kind = CalDav if connection.kind == "caldav" else Feed
        return kind(http, connection.url, self._reader)

    def lock(self, connection: CalendarConnection) -> asyncio.Lock:
        """To be held while something is booked."""
        return self._locks.setdefault(connection.id, asyncio.Lock())
