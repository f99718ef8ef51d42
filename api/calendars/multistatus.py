"""WebDAV's answers (RFC 4918 13), as CalDAV fills them."""

from collections.abc import Iterator
from typing import Final
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from api.calendars.errors import CalendarError

DAV: Final = "{DAV:}"
CALDAV: Final = "{urn:ietf:params:xml:ns:caldav}"


def tree_of(answer: bytes) -> Element:
    """Its XML. Raises CalendarError."""
    try:
        tree: Element = fromstring(answer, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError) as error:
        raise CalendarError(f"its answer is no XML ({type(error).__name__})") from error
    return tree


def events_of(answer: bytes) -> Iterator[bytes]:
    """The iCalendar objects of a REPORT's answer (RFC 4791 7.8). Raises CalendarError."""
    for one in tree_of(answer).iterfind(f"{DAV}response"):
        data = one.find(f"{DAV}propstat/{DAV}prop/{CALDAV}calendar-data")
        if data is None or not data.text:
            raise CalendarError("the server does not give all of its events")
        yield data.text.encode()
