"""An iCalendar feed: a file that somebody publishes. It can be read, and not booked in."""

import asyncio
from concurrent.futures import Executor
from typing import Final
from zoneinfo import ZoneInfo

from api.calendars.busy import busy_times
from api.calendars.http import CalendarHttp
from api.calendars.slots import Interval

_OK: Final = frozenset({200})


class Feed:
    """Reads one."""

    def __init__(self, http: CalendarHttp, url: str, worker: Executor) -> None:
        """
        Args:
            http: its server.
            url: of the file.
            worker: where it is reckoned.
        """
        self._http = http
        self._url = url
        self._worker = worker

    async def busy(self, span: Interval, zone: ZoneInfo) -> list[Interval]:
        """What is busy; arguments as of `busy_times`. Raises CalendarError."""
        headers = {"Accept": "text/calendar"}
        _, text = await self._http.request("GET", self._url, headers=headers, expected=_OK)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._worker, busy_times, [text], span, zone)

    async def check(self) -> None:
        """There is nothing to look at but its events."""
