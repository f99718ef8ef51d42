"""When something can be booked: working hours less what is busy. Knows no calendar, no clock."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from api.calendars.interval import Interval
from api.policy.retry import WEEKDAYS, Weekday
from api.policy.zones import zone
from api.resources.calendar import EventType

_DAY: Final = timedelta(days=1)


@dataclass(frozen=True)
class Rules:
    """What may be booked of an event type."""

    duration: timedelta
    buffer: timedelta
    """What stays free before and after."""
    days: frozenset[Weekday]
    opening: timedelta
    """After midnight of the zone's wall clock."""
    closing: timedelta
    """Likewise; a slot is over by then."""
    zone: ZoneInfo
    horizon_days: int
    """Whole days after today that are open for bookings."""


def rules_of(event_type: EventType) -> Rules:
    """When a kind of event can be booked."""
    return Rules(
        duration=timedelta(minutes=event_type.duration_minutes),
        buffer=timedelta(minutes=event_type.buffer_minutes),
        days=frozenset(event_type.days),
        opening=_after_midnight(event_type.start),
        closing=_after_midnight(event_type.end),
        zone=zone(event_type.timezone),
        horizon_days=event_type.horizon_days,
    )


def _after_midnight(clock: str) -> timedelta:
    hours, minutes = clock.split(":")
    return timedelta(hours=int(hours), minutes=int(minutes))


def free_slots(
    rules: Rules, busy: Iterable[Interval], now: datetime, first: date, last: date
) -> Iterator[datetime]:
    """Starts of free slots, ascending, in the zone of the rules.

    Slots follow one another from the opening on. What the clock skips or has twice where it is
    changed is open only as far as it is so by either reading.

    Args:
        rules: of what is to be booked.
        busy: in any order; may overlap.
        now: nothing earlier is free.
        first: the first day, on the zone's calendar.
        last: the last day; the horizon may come before.
    """
    coming = sorted(busy, key=lambda interval: interval.start, reverse=True)
    busy_until = datetime.min.replace(tzinfo=UTC)
    for start in _grid(rules, now, first, last):
        while coming and coming[-1].start < start + rules.duration + rules.buffer:
            busy_until = max(busy_until, coming.pop().end)
        if busy_until <= start - rules.buffer:
            yield start.astimezone(rules.zone)


def open_days(rules: Rules, now: datetime) -> tuple[date, date]:
    """Today and the last day that is open for bookings, on the zone's calendar."""
    today = now.astimezone(rules.zone).date()
    return today, today + rules.horizon_days * _DAY


def span_of(rules: Rules, first: date, last: date) -> Interval:
    """What has to be known to be busy to tell the free slots of these days."""
    return Interval(
        _instant(rules, first, timedelta(), min) - rules.buffer,
        _instant(rules, last, _DAY, max) + rules.buffer,
    )


def _grid(rules: Rules, now: datetime, first: date, last: date) -> Iterator[datetime]:
    today, end = open_days(rules, now)
    day = max(first, today)
    while day <= min(last, end):
        if WEEKDAYS[day.weekday()] in rules.days:
            start = _instant(rules, day, rules.opening, max)
            closing = _instant(rules, day, rules.closing, min)
            while start + rules.duration <= closing:
                if start >= now:
                    yield start
                start += rules.duration
        day += _DAY


def _instant(
    rules: Rules,
    day: date,
    clock: timedelta,
    choose: Callable[[datetime, datetime], datetime],
) -> datetime:
    """UTC of a time on the wall clock; of its two readings at a change of the clock, one."""
    local = datetime(day.year, day.month, day.day, tzinfo=rules.zone) + clock
    return choose(local.astimezone(UTC), local.replace(fold=1).astimezone(UTC))
