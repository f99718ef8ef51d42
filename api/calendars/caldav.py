"""A calendar collection of a CalDAV server (RFC 4791)."""

from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from api.calendars.errors import CalendarError
from api.calendars.http import MAX_ANSWER, CalendarHttp
from api.calendars.interval import Interval
from api.calendars.multistatus import CALDAV, DAV, tree_of
from api.calendars.reader import Reader

_MULTISTATUS: Final = frozenset({207})
_STORED: Final = frozenset({200, 201, 204})
#: Something has this name or UID: by If-None-Match (RFC 9110 13.1.2), by `no-uid-conflict`
#: (RFC 4791 5.3.2.1), and as Nextcloud says it of what is in its bin.
_TAKEN: Final = frozenset({400, 409, 412})
_DAY: Final = timedelta(days=1)
_WRITING: Final = frozenset({"all", "write", "write-content", "bind"})

#: What is read right here, and not by the reader, is short; KiB.
_MAX_ABOUT: Final = 256

_QUERY: Final = """<?xml version="1.0" encoding="utf-8"?>
<C:calendar-query xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav">
<D:prop><C:calendar-data/></D:prop>
<C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT">
<C:time-range start="{start}" end="{end}"/>
</C:comp-filter></C:comp-filter></C:filter>
</C:calendar-query>"""
_ABOUT: Final = """<?xml version="1.0" encoding="utf-8"?>
<D:propfind xmlns:D="DAV:"><D:prop><D:resourcetype/><D:current-user-privilege-set/></D:prop>
</D:propfind>"""


class CalDav:
    """Reads and writes one."""

    def __init__(self, http: CalendarHttp, url: str, reader: Reader) -> None:
        """
        Args:
            http: its server.
            url: of the collection.
            reader: of what it answers.
        """
        self._http = http
        self._url = url.rstrip("/") + "/"
        self._reader = reader

    async def busy(self, span: Interval, zone: ZoneInfo) -> list[Interval]:
        """What is busy; arguments as of `busy_times`. Raises CalendarError."""
        # Where days and times without a zone are, the server and we need not agree.
        query = _QUERY.format(start=_utc(span.start - _DAY), end=_utc(span.end + _DAY))
        answer = await self._dav("REPORT", "1", query, MAX_ANSWER)
        return await self._reader.busy("caldav", answer, span, zone)

    async def put(self, name: str, event: bytes) -> bool:
        """Store an event; False, and nothing is done, if something has its name.

        Args:
            name: of the resource, without its ending.
            event: an iCalendar object.

        Raises CalendarError.
        """
        headers = {"Content-Type": "text/calendar; charset=utf-8", "If-None-Match": "*"}
        status, _ = await self._http.request(
            "PUT", self._at(name), headers=headers, content=event, expected=_STORED | _TAKEN
        )
        return status in _STORED

    async def holds(self, name: str, call_id: str, start: datetime) -> bool:
        """Whether that name is an event that this call has booked. Raises CalendarError."""
        expected = frozenset({200, 404, 410})
        status, text = await self._http.request("GET", self._at(name), expected=expected)
        return status == 200 and await self._reader.is_of_call(text, call_id, start)

    async def check(self) -> None:
        """Raises CalendarError for what is no calendar, or may not be written."""
        about = tree_of(await self._dav("PROPFIND", "0", _ABOUT, _MAX_ABOUT))
        if about.find(f".//{DAV}resourcetype/{CALDAV}calendar") is None:
            raise CalendarError(
                "its URL is not that of a calendar; give the collection's own, as "
                "https://dav.example.org/calendars/frontdesk/appointments/"
            )
        privileges = about.find(f".//{DAV}current-user-privilege-set")
        granted = () if privileges is None else privileges.iterfind(f"{DAV}privilege/*")
        names = {one.tag.removeprefix(DAV) for one in granted}
        if names and names.isdisjoint(_WRITING):
            raise CalendarError("it may be read, but the user may not write to it")

    async def _dav(self, method: str, depth: str, body: str, longest: int) -> bytes:
        headers = {"Content-Type": 'application/xml; charset="utf-8"', "Depth": depth}
        _, answer = await self._http.request(
            method,
            self._url,
            headers=headers,
            content=body.encode(),
            expected=_MULTISTATUS,
            longest=longest,
        )
        return answer

    def _at(self, name: str) -> str:
        return f"{self._url}{name}.ics"


def _utc(when: datetime) -> str:
    return when.strftime("%Y%m%dT%H%M%SZ")
