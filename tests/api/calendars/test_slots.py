"""Free slots by rules alone: for any calendar, in any zone, also where the clock is changed."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.calendars.interval import Interval
from api.calendars.slots import Rules, free_slots, open_days, span_of
from api.policy.retry import WEEKDAYS
from api.policy.zones import zone

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
OFFICE = Rules(
    duration=30 * MINUTE,
    buffer=timedelta(),
    days=frozenset(WEEKDAYS[:5]),
    opening=9 * HOUR,
    closing=12 * HOUR,
    zone=zone("Europe/Berlin"),
    horizon_days=30,
)
ALL_DAYS = frozenset(WEEKDAYS)
MONDAY = date(2026, 11, 23)
BEFORE = datetime(2026, 11, 22, tzinfo=UTC)
ZONES = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC"]


def utc(hour: float, day: int = 23) -> datetime:
    return datetime(2026, 11, day, tzinfo=UTC) + hour * HOUR


def clocks(
    rules: Rules, *busy: Interval, now: datetime = BEFORE, first: date = MONDAY, days: int = 0
) -> list[str]:
    last = first + timedelta(days=days)
    return [f"{slot:%H:%M}" for slot in free_slots(rules, busy, now, first, last)]


def test_slots_follow_one_another_in_working_hours() -> None:
    assert clocks(OFFICE) == ["09:00", "09:30", "10:00", "10:30", "11:00", "11:30"]
    assert clocks(replace(OFFICE, duration=50 * MINUTE)) == ["09:00", "09:50", "10:40"]
    assert clocks(OFFICE, first=date(2026, 11, 28), days=1) == []  # a weekend


def test_what_touches_a_slot_takes_it_and_what_ends_where_it_begins_does_not() -> None:
    assert clocks(OFFICE, Interval(utc(8.5), utc(9))) == [
        *("09:00", "10:00", "10:30", "11:00", "11:30")  # it is UTC + 1
    ]
    assert clocks(OFFICE, Interval(utc(8.9), utc(9.1)))[:2] == ["09:00", "10:30"]
    long, short = Interval(utc(7), utc(10.5)), Interval(utc(8), utc(8.5))
    assert clocks(OFFICE, short, long) == ["11:30"]


def test_a_buffer_stays_free_on_both_sides() -> None:
    buffered = replace(OFFICE, buffer=10 * MINUTE)
    assert clocks(buffered, Interval(utc(9), utc(9.5))) == ["09:00", "11:00", "11:30"]


def test_nothing_is_free_in_the_past_or_past_the_horizon() -> None:
    assert clocks(OFFICE, now=utc(9.6)) == ["11:00", "11:30"]
    assert clocks(replace(OFFICE, horizon_days=0), first=date(2026, 11, 24), now=utc(5)) == []
    near = replace(OFFICE, horizon_days=1)
    assert len(clocks(near, now=utc(5), days=5)) == 12


@pytest.mark.parametrize(
    ("day", "opening", "closing", "wanted"),
    [
        (date(2026, 3, 29), 1.0, 4.0, ["01:00", "03:00"]),  # 02:00 to 03:00 is skipped
        (date(2026, 3, 29), 2.5, 5.0, ["03:30"]),
        (date(2026, 3, 29), 0.0, 2.5, ["00:00"]),
        (date(2026, 10, 25), 1.0, 4.0, ["01:00", "02:00", "02:00", "03:00"]),  # 02:00 comes twice
        (date(2026, 10, 25), 2.5, 4.0, ["02:30"]),
        (date(2026, 10, 25), 1.0, 2.5, ["01:00"]),
        (date(2026, 10, 25), 0.0, 24.0, [f"{hour:02}:00" for hour in sorted([*range(24), 2])]),
    ],
)
def test_working_hours_where_the_clock_is_changed(
    day: date, opening: float, closing: float, wanted: list[str]
) -> None:
    rules = replace(
        OFFICE, duration=HOUR, days=ALL_DAYS, opening=opening * HOUR, closing=closing * HOUR
    )
    now = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(days=1)
    assert clocks(rules, now=now, first=day) == wanted


@st.composite
def rules_of(draw: st.DrawFn) -> Rules:
    opening = draw(st.integers(0, 1439))
    return Rules(
        duration=draw(st.integers(5, 600)) * MINUTE,
        buffer=draw(st.integers(0, 90)) * MINUTE,
        days=draw(st.frozensets(st.sampled_from(WEEKDAYS), min_size=1)),
        opening=opening * MINUTE,
        closing=draw(st.integers(opening + 1, 1440)) * MINUTE,
        zone=zone(draw(st.sampled_from(ZONES))),
        horizon_days=draw(st.integers(0, 12)),
    )


@st.composite
def busy_after(draw: st.DrawFn, now: datetime) -> list[Interval]:
    spans = draw(st.lists(st.tuples(st.integers(-2_000, 20_000), st.integers(1, 3_000))))
    starts = [(now + start * MINUTE, length) for start, length in spans]
    return [Interval(start, start + length * MINUTE) for start, length in starts]


#: Each within a week before a change of the clock somewhere, both ways.
NEAR_A_CHANGE = st.sampled_from(
    [(2026, 3, 6), (2026, 3, 26), (2026, 4, 2), (2026, 10, 1), (2026, 10, 23), (2026, 10, 30)]
).flatmap(
    lambda day: st.integers(0, 3 * 1440).map(lambda m: datetime(*day, tzinfo=UTC) + m * MINUTE)
)


@given(st.data(), rules_of(), NEAR_A_CHANGE)
def test_every_slot_keeps_every_rule(data: st.DataObject, rules: Rules, now: datetime) -> None:
    busy = data.draw(busy_after(now))
    first, last = open_days(rules, now)
    slots = list(free_slots(rules, busy, now, first, last))
    for slot in slots:
        start, end = slot.astimezone(UTC), slot.astimezone(UTC) + rules.duration
        assert start >= now
        assert all(
            end + rules.buffer <= one.start or one.end <= start - rules.buffer for one in busy
        )
        assert first <= slot.date() <= last
        assert WEEKDAYS[slot.weekday()] in rules.days
        midnight = datetime(slot.year, slot.month, slot.day)
        for instant in (start, end - timedelta(microseconds=1)):
            clock = instant.astimezone(rules.zone).replace(tzinfo=None) - midnight
            assert rules.opening <= clock < rules.closing
    assert all(later - sooner >= rules.duration for sooner, later in pairwise(_utc(slots)))


@given(st.data(), rules_of(), NEAR_A_CHANGE)
def test_what_is_busy_past_the_span_changes_nothing(
    data: st.DataObject, rules: Rules, now: datetime
) -> None:
    busy = data.draw(busy_after(now))
    first, last = open_days(rules, now)
    span = span_of(rules, first, last)
    near = [one for one in busy if one.start < span.end and span.start < one.end]
    wanted = list(free_slots(rules, busy, now, first, last))
    assert list(free_slots(rules, near, now, first, last)) == wanted


@given(rules_of(), NEAR_A_CHANGE)
def test_a_free_calendar_is_free_in_all_its_working_hours(rules: Rules, now: datetime) -> None:
    first, last = open_days(rules, now)
    slots = {one.date() for one in free_slots(rules, (), now, first, last)}
    whole = rules.duration <= rules.closing - rules.opening - 2 * HOUR
    day = first + timedelta(days=1)
    while day <= last:
        if whole and WEEKDAYS[day.weekday()] in rules.days:
            assert day in slots
        day += timedelta(days=1)


def _utc(slots: list[datetime]) -> list[datetime]:
    return [slot.astimezone(UTC) for slot in slots]
