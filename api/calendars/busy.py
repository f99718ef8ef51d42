"""When somebody is busy, as iCalendar texts say (RFC 5545).

Anybody may send an invitation, so texts are hostile: what would be endless to reckon is refused.
Doubt is an error as well: an event that is not understood must not look like free time.
"""

import time
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from math import prod
from typing import Any, Final
from zoneinfo import ZoneInfo

import recurring_ical_events
from icalendar import Calendar, Component

from api.calendars.errors import CalendarError
from api.calendars.slots import Interval

#: Seconds that the events of one calendar may take to reckon.
_PATIENCE_S: Final = 10.0
#: Properties that say when.
_TIMES: Final = frozenset(
    {"DTSTART", "DTEND", "DURATION", "RRULE", "RDATE", "EXDATE", "RECURRENCE-ID", "FREEBUSY"}
)
#: Rules by the hour and below have more instances than anybody's appointments.
_FREQUENCIES: Final = frozenset({"DAILY", "WEEKLY", "MONTHLY", "YEARLY"})
_MAX_TIMES_A_DAY: Final = 24
_FIRST_YEAR: Final = 1970
_DAY: Final = timedelta(days=1)


def busy_times(texts: Iterable[bytes], span: Interval, zone: ZoneInfo) -> list[Interval]:
    """What is busy within a span: events but for canceled and transparent ones, and busy times
    that are published without their events (VFREEBUSY). Takes seconds for thousands.

    Args:
        texts: iCalendar objects.
        span: what is looked at; what reaches into it is whole.
        zone: where days and times without a zone are.

    Raises CalendarError.
    """
    deadline = time.monotonic() + _PATIENCE_S
    found: list[Interval] = []
    for text in texts:
        try:
            found += _of_text(text, span, zone, deadline)
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
            raise CalendarError(
                f"it holds what is no iCalendar ({type(error).__name__})"
            ) from error
    return [
        one
        for one in found
        if one.start < one.end and one.start < span.end and span.start < one.end
    ]


def _of_text(text: bytes, span: Interval, zone: ZoneInfo, deadline: float) -> Iterator[Interval]:
    if not text.rstrip().upper().endswith(b"END:VCALENDAR"):
        raise ValueError("cut off")
    calendar = Calendar.from_ical(text)
    events = sorted(calendar.walk("VEVENT"), key=_uid)
    for _, parts in groupby(events, key=_uid):
        if time.monotonic() > deadline:
            raise CalendarError("its events take too long to reckon")
        # Days and times without a zone may be half a day off UTC.
        for event in _instances(list(parts), span.start - _DAY, span.end + _DAY):
            if not _leaves_free(event):
                yield Interval(_instant(event.start, zone), _instant(event.end, zone))
    for published in calendar.walk("VFREEBUSY"):
        yield from _published(published)


def _uid(event: Component) -> str:
    return str(event.get("UID", ""))


def _instances(parts: list[Component], start: datetime, end: datetime) -> Iterator[Any]:
    """The instances of an event, which has a part for each one that was changed."""
    alone = Calendar()
    for part in parts:
        _check(part)
        _shorten(part, end)
        alone.add_component(part)
    yield from recurring_ical_events.of(alone).between(start, end)


def _check_readable(component: Component) -> None:
    if any(name in _TIMES for name, _ in component.errors):
        raise CalendarError("it holds an event whose times cannot be read")


def _check(event: Component) -> None:
    _check_readable(event)
    begin: Any = event.get("DTSTART")
    if begin is None:
        raise CalendarError("it holds an event without a beginning")
    for name in ("DTSTART", "DTEND"):
        given: Any = event.get(name)
        zone = given is not None and given.params.get("TZID")
        if zone and getattr(given.dt, "tzinfo", None) is None:
            raise CalendarError(
                f"it holds an event in a time zone that is not known: {zone[:60]!r}"
            )
    for rule in _rules(event):
        frequency = str((rule.get("FREQ") or ["none"])[0]).upper()
        often = prod(len(rule.get(part) or [0]) for part in ("BYHOUR", "BYMINUTE", "BYSECOND"))
        if (
            frequency not in _FREQUENCIES
            or often > _MAX_TIMES_A_DAY
            or any(int(step) < 1 for step in rule.get("INTERVAL") or ())
            or begin.dt.year < _FIRST_YEAR
        ):
            raise CalendarError("it holds an event that is repeated in a way that is not supported")


def _shorten(event: Component, end: datetime) -> None:
    """Have rules without an end end soon after what is looked at."""
    begin = event.decoded("DTSTART")
    if not isinstance(begin, datetime):
        until: date = end.date()
    elif begin.tzinfo is None:
        until = end.replace(tzinfo=None)
    else:
        until = end
    for rule in _rules(event):
        if "UNTIL" not in rule and "COUNT" not in rule:
            rule["UNTIL"] = [until]


def _rules(event: Component) -> list[Any]:
    rules: Any = event.get("RRULE", [])
    return rules if isinstance(rules, list) else [rules]


def _leaves_free(event: Component) -> bool:
    status, shown = (str(event.get(name, "")).upper() for name in ("STATUS", "TRANSP"))
    return status == "CANCELLED" or shown == "TRANSPARENT"


def _published(component: Component) -> Iterator[Interval]:
    """RFC 5545 3.6.4: periods of UTC."""
    _check_readable(component)
    periods: Any = component.get("FREEBUSY", [])
    for period in periods if isinstance(periods, list) else [periods]:
        if period.params.get("FBTYPE", "BUSY").upper() != "FREE":
            yield Interval(period.start.astimezone(UTC), period.end.astimezone(UTC))


def _instant(when: date, zone: ZoneInfo) -> datetime:
    if not isinstance(when, datetime):
        when = datetime(when.year, when.month, when.day)
    if when.tzinfo is None:
        when = when.replace(tzinfo=zone)
    return when.astimezone(UTC)
