"""An iCalendar feed: a file that somebody publishes. It can be read, and not booked in."""

from typing import Final
from zoneinfo import ZoneInfo

from api.calendars.http import CalendarHttp
from api.calendars.interval import Interval
from api.calendars.reader import Reader

_OK: Final = frozenset({200})


class Feed:
    """Reads one."""

    def __init__(self, http: CalendarHttp, url: str, reader: Reader) -> None:
        """
        Args:
            http: its server.
            url: of the file.
            reader: of what it answers.
        """
        self._http = http
        self._url = url
        self._reader = reader

    async def busy(self, span: Interval, zone: ZoneInfo) -> list[Interval]:
        """What is busy; arguments as of `busy_times`. Raises CalendarError."""
        headers = {"Accept": "text/calendar"}
        _, text = await self._http.request("GET", self._url, headers=headers, expected=_OK)
        return await self._reader.busy("feed", text, span, zone)

    async def check(self) -> None:
        """There is nothing to look at but its events."""
