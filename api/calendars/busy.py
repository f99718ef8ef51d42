"""When somebody is busy, as iCalendar texts say (RFC 5545).

Anybody may send an invitation, so texts are hostile: what would be endless to reckon is refused.
Doubt is an error as well: an event that is not understood must not look like free time. What finds
a way past these bounds is up to `api.calendars.worker`, a process that may be killed.
"""

import re
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
from api.calendars.interval import Interval

#: Seconds that the events of one calendar may take to reckon.
_PATIENCE_S: Final = 10.0
#: Properties that say when.
_TIMES: Final = frozenset(
    {"DTSTART", "DTEND", "DURATION", "RRULE", "RDATE", "EXDATE", "RECURRENCE-ID", "FREEBUSY"}
)
#: Rules by the hour and below have more instances than anybody's appointments.
_FREQUENCIES: Final = frozenset({"DAILY", "WEEKLY", "MONTHLY", "YEARLY"})
_MAX_TIMES_A_DAY: Final = 24
#: Instances from an event's beginning to the end of what is looked at.
_MAX_STEPS: Final = 100_000
#: One that is repeated may last so long: each that has begun and is not over is an instance.
_MAX_REPEATED: Final = timedelta(days=366)
#: Of one text.
_MAX_COMPONENTS: Final = 20_000
_MAX_DEPTH: Final = 8
_MAX_DATES: Final = 20_000
#: Of one calendar.
_MAX_FOUND: Final = 20_000
_FOLD: Final = re.compile(rb"\r?\n[ \t]")
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
            for one in _of_text(text, span, zone, deadline):
                found.append(one)
                if len(found) > _MAX_FOUND:
                    raise CalendarError(f"it holds more than {_MAX_FOUND} busy times")
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
    _check_shape(text)
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


def _check_shape(text: bytes) -> None:
    """Refuse what takes long before there is an event to look at: to parse, and to find the
    changes of each time zone that it defines."""
    inside: list[bytes] = []
    components = dates = 0
    for line in _FOLD.sub(b"", text).splitlines():
        head, _, value = line.partition(b":")
        name = head.partition(b";")[0].upper()
        if name == b"BEGIN":
            inside.append(value.strip().upper())
            components += 1
        elif name == b"END" and inside:
            inside.pop()
        elif name in (b"RDATE", b"EXDATE", b"FREEBUSY"):
            dates += value.count(b",") + 1
        elif name == b"RRULE" and b"VTIMEZONE" in inside and b"FREQ=YEARLY" not in value.upper():
            raise CalendarError("it holds a time zone that changes more than from year to year")
        if components > _MAX_COMPONENTS or dates > _MAX_DATES or len(inside) > _MAX_DEPTH:
            raise CalendarError("it holds more than is looked at")


def _uid(event: Component) -> str:
    return str(event.get("UID", ""))


def _instances(parts: list[Component], start: datetime, end: datetime) -> Iterator[Any]:
    """The instances of an event, which has a part for each one that was changed."""
    alone = Calendar()
    for part in parts:
        _check(part)
        _shorten(part, end)
        alone.add_component(part)
    if any(_rules(part) for part in parts) and (
        sum(_steps(part, end) for part in parts) > _MAX_STEPS
        or max(map(_lasts, parts)) > _MAX_REPEATED
    ):
        raise CalendarError("it holds an event that is repeated too often, or is too long for that")
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
        if (
            frequency not in _FREQUENCIES
            or _times_a_day(rule) > _MAX_TIMES_A_DAY
            or any(int(step) < 1 for step in rule.get("INTERVAL") or ())
            or begin.dt.year < _FIRST_YEAR
        ):
            raise CalendarError("it holds an event that is repeated in a way that is not supported")


def _times_a_day(rule: Any) -> int:
    return prod(len(rule.get(part) or [0]) for part in ("BYHOUR", "BYMINUTE", "BYSECOND"))


def _steps(event: Component, end: datetime) -> int:
    """Instances from its beginning on, at most."""
    begin: Any = event.get("DTSTART")
    days = (end.date() - _day(begin.dt)).days
    return days * sum(map(_times_a_day, _rules(event)))


def _lasts(event: Component) -> timedelta:
    """Whole days of it, rounded."""
    length: Any = event.get("DURATION")
    if length is not None:
        return timedelta(days=length.dt.days)
    begin: Any = event.get("DTSTART")
    over: Any = event.get("DTEND")
    return _DAY if over is None else _day(over.dt) - _day(begin.dt)


def _day(when: date) -> date:
    return date(when.year, when.month, when.day)


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
