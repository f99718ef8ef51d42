"""A calendar collection of a CalDAV server (RFC 4791)."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import Executor
from datetime import datetime, timedelta
from typing import Final
from xml.etree.ElementTree import Element, ParseError
from zoneinfo import ZoneInfo

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from api.calendars.busy import busy_times
from api.calendars.errors import CalendarError
from api.calendars.http import CalendarHttp
from api.calendars.slots import Interval

_DAV: Final = "{DAV:}"
_CALDAV: Final = "{urn:ietf:params:xml:ns:caldav}"
_MULTISTATUS: Final = frozenset({207})
_STORED: Final = frozenset({200, 201, 204})
#: Something has this name or UID: by If-None-Match (RFC 9110 13.1.2), by `no-uid-conflict`
#: (RFC 4791 5.3.2.1), and as Nextcloud says it of what is in its bin.
_TAKEN: Final = frozenset({400, 409, 412})
_DAY: Final = timedelta(days=1)
_WRITING: Final = frozenset({"all", "write", "write-content", "bind"})

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

    def __init__(self, http: CalendarHttp, url: str, worker: Executor) -> None:
        """
        Args:
            http: its server.
            url: of the collection.
            worker: where answers are reckoned.
        """
        self._http = http
        self._url = url.rstrip("/") + "/"
        self._worker = worker

    async def busy(self, span: Interval, zone: ZoneInfo) -> list[Interval]:
        """What is busy; arguments as of `busy_times`. Raises CalendarError."""
        # Where days and times without a zone are, the server and we need not agree.
        query = _QUERY.format(start=_utc(span.start - _DAY), end=_utc(span.end + _DAY))
        answer = await self._dav("REPORT", "1", query)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._worker, _busy, answer, span, zone)

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

    async def get(self, name: str) -> bytes | None:
        """An event of ours as the server has it; None if there is none. Raises CalendarError."""
        expected = frozenset({200, 404, 410})
        status, text = await self._http.request("GET", self._at(name), expected=expected)
        return text if status == 200 else None

    async def check(self) -> None:
        """Raises CalendarError for what is no calendar, or may not be written."""
        about = _tree(await self._dav("PROPFIND", "0", _ABOUT))
        if about.find(f".//{_DAV}resourcetype/{_CALDAV}calendar") is None:
            raise CalendarError(
                "its URL is not that of a calendar; give the collection's own, as "
                "https://dav.example.org/calendars/frontdesk/appointments/"
            )
        privileges = about.find(f".//{_DAV}current-user-privilege-set")
        granted = () if privileges is None else privileges.iterfind(f"{_DAV}privilege/*")
        names = {one.tag.removeprefix(_DAV) for one in granted}
        if names and names.isdisjoint(_WRITING):
            raise CalendarError("it may be read, but the user may not write to it")

    async def _dav(self, method: str, depth: str, body: str) -> bytes:
        headers = {"Content-Type": 'application/xml; charset="utf-8"', "Depth": depth}
        _, answer = await self._http.request(
            method, self._url, headers=headers, content=body.encode(), expected=_MULTISTATUS
        )
        return answer

    def _at(self, name: str) -> str:
        return f"{self._url}{name}.ics"


def _busy(answer: bytes, span: Interval, zone: ZoneInfo) -> list[Interval]:
    return busy_times(_texts(_tree(answer)), span, zone)


def _texts(answer: Element) -> Iterator[bytes]:
    """The events of a REPORT's answer (RFC 4791 7.8)."""
    for one in answer.iterfind(f"{_DAV}response"):
        data = one.find(f"{_DAV}propstat/{_DAV}prop/{_CALDAV}calendar-data")
        if data is None or not data.text:
            raise CalendarError("the server does not give all of its events")
        yield data.text.encode()


def _tree(answer: bytes) -> Element:
    try:
        tree: Element = fromstring(answer, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError) as error:
        raise CalendarError(f"its answer is no XML ({type(error).__name__})") from error
    return tree


def _utc(when: datetime) -> str:
    return when.strftime("%Y%m%dT%H%M%SZ")
