"""Whose booking an event is."""

from datetime import datetime
from typing import Final

from icalendar import Calendar

#: Our property of the events that we make.
OF_CALL: Final = "X-OFFHOOK-CALL"


def is_of_call(stored: bytes, call_id: str, start: datetime) -> bool:
    """Whether an iCalendar object holds what the call has booked, as it was booked."""
    try:
        events = Calendar.from_ical(stored).walk("VEVENT")
        return any(
            event.get(OF_CALL) == call_id
            and event.decoded("DTSTART") == start
            and str(event.get("STATUS", "")).upper() != "CANCELLED"
            for event in events
        )
    except (ValueError, KeyError, AttributeError):
        return False
