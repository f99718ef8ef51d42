"""Booking a slot so that nobody else has it: not a second call, nor a second server."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from icalendar import Calendar, Event

from api.base.text import render
from api.calendars.caldav import CalDav
from api.calendars.errors import CalendarError, SlotTakenError
from api.calendars.ownership import OF_CALL
from api.calendars.slots import free_slots, rules_of, span_of
from api.messaging.outgoing import plain
from api.resources.calendar import EventType

#: Names that a slot may have: one that was moved, or deleted into a bin, keeps its own.
_NAMES: Final = 3


@dataclass(frozen=True)
class Booking:
    """What is to be booked."""

    event_type: EventType
    start: datetime
    call_id: str
    values: Mapping[str, Any]
    """Of the variables of its texts."""


async def book(calendar: CalDav, booking: Booking, now: datetime) -> None:
    """Book a slot that is free now. One that the same call has booked is left as it is.

    Names are made of the slot's start, and the server gives each away once: of two that book a slot
    at one time, one is refused.

    Raises SlotTakenError, CalendarError.
    """
    names = [_name(booking, number) for number in range(_NAMES)]
    for name in names:
        if not await _is_free(calendar, booking, now):
            break
        if await calendar.put(name, _event(booking, name, now)):
            return
    else:
        raise CalendarError("the server does not take the event")
    for name in names:
        if await calendar.holds(name, booking.call_id, booking.start):
            return
    raise SlotTakenError


async def _is_free(calendar: CalDav, booking: Booking, now: datetime) -> bool:
    rules = rules_of(booking.event_type)
    day = booking.start.astimezone(rules.zone).date()
    busy = await calendar.busy(span_of(rules, day, day), rules.zone)
    return booking.start in free_slots(rules, busy, now, day, day)


def _name(booking: Booking, number: int) -> str:
    slot = f"{booking.start.astimezone(UTC).isoformat()} {number}"
    return f"offhook-{hashlib.sha256(slot.encode()).hexdigest()[:32]}"


def _event(booking: Booking, name: str, now: datetime) -> bytes:
    """RFC 5545 3.6.1. There is no attendee: a server may write to those, and the address is only
    what somebody said."""
    kind, values = booking.event_type, booking.values
    event = Event()
    event.add("uid", name)
    event.add("dtstamp", now.astimezone(UTC))
    event.add("dtstart", booking.start.astimezone(UTC))
    event.add("dtend", booking.start.astimezone(UTC) + rules_of(kind).duration)
    event.add("summary", " ".join(plain(render(kind.title, values)).split()))
    lines = plain(render(kind.description, values)).splitlines()
    event.add("description", "\n".join(line for line in lines if line.strip()))
    if kind.location is not None:
        event.add("location", kind.location)
    event.add("status", "CONFIRMED")
    event.add("transp", "OPAQUE")
    event.add(OF_CALL, booking.call_id)
    calendar = Calendar()
    calendar.add("prodid", "-//Offhook//calls//EN")
    calendar.add("version", "2.0")
    calendar.add_component(event)
    text: bytes = calendar.to_ical()
    return text
