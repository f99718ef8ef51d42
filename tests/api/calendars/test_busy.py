"""What is busy, of iCalendar texts as they are found in the wild, and of hostile ones."""

from datetime import UTC, datetime

import pytest

from api.calendars.busy import busy_times
from api.calendars.errors import CalendarError
from api.calendars.interval import Interval
from api.policy.zones import zone

BERLIN = zone("Europe/Berlin")
#: The clock goes back on the 25th.
SPAN = Interval(datetime(2026, 10, 19, tzinfo=UTC), datetime(2026, 11, 2, tzinfo=UTC))


def text(*lines: str, component: str = "VEVENT") -> bytes:
    return "\r\n".join(
        [
            *("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Office//EN", f"BEGIN:{component}"),
            *("UID:a", "DTSTAMP:20260101T000000Z", *lines),
            *(f"END:{component}", "END:VCALENDAR", ""),
        ]
    ).encode()


def busy(*texts: bytes) -> list[str]:
    """Beginnings and ends, UTC."""
    found = busy_times(texts, SPAN, BERLIN)
    assert all(one.start.tzinfo is UTC and one.end.tzinfo is UTC for one in found)
    return [f"{one.start:%d %H:%M}-{one.end:%d %H:%M}" for one in sorted(found, key=_start)]


def _start(one: Interval) -> datetime:
    return one.start


@pytest.mark.parametrize(
    ("lines", "wanted"),
    [
        (["DTSTART:20261020T090000Z", "DTEND:20261020T093000Z"], ["20 09:00-20 09:30"]),
        (["DTSTART:20261020T090000Z", "DURATION:PT45M"], ["20 09:00-20 09:45"]),
        (["DTSTART;TZID=America/New_York:20261020T090000", "DURATION:PT1H"], ["20 13:00-20 14:00"]),
        (
            ["DTSTART;TZID=W. Europe Standard Time:20261020T090000", "DURATION:PT1H"],
            ["20 07:00-20 08:00"],
        ),
        (["DTSTART:20261020T090000", "DURATION:PT1H"], ["20 07:00-20 08:00"]),
        (["DTSTART;VALUE=DATE:20261025"], ["24 22:00-25 23:00"]),  # a day of 25 hours
        (["DTSTART;VALUE=DATE:20261024", "DTEND;VALUE=DATE:20261026"], ["23 22:00-25 23:00"]),
        (["DTSTART:20261018T230000Z", "DTEND:20261019T010000Z"], ["18 23:00-19 01:00"]),
        (["DTSTART:20261018T220000Z", "DTEND:20261019T000000Z"], []),  # over as the span begins
        (["DTSTART:20261020T090000Z"], []),  # a moment
        (["DTSTART:20261020T090000Z", "DURATION:PT1H", "STATUS:CANCELLED"], []),
        (["DTSTART:20261020T090000Z", "DURATION:PT1H", "TRANSP:TRANSPARENT"], []),
        (["DTSTART:20261020T090000Z", "DURATION:PT1H", "STATUS:TENTATIVE"], ["20 09:00-20 10:00"]),
    ],
)
def test_an_event_is_busy_from_its_beginning_to_its_end(
    lines: list[str], wanted: list[str]
) -> None:
    assert busy(text(*lines)) == wanted


def test_a_repeated_event_keeps_its_place_on_the_wall_clock() -> None:
    weekly = text(
        "DTSTART;TZID=Europe/Berlin:20250106T100000",
        "DTEND;TZID=Europe/Berlin:20250106T110000",
        "RRULE:FREQ=WEEKLY;BYDAY=MO,WE",
        "EXDATE;TZID=Europe/Berlin:20261021T100000",
    )
    assert busy(weekly) == ["19 08:00-19 09:00", "26 09:00-26 10:00", "28 09:00-28 10:00"]


def test_instances_that_were_moved_or_canceled_are_where_they_are_now() -> None:
    series = text("DTSTART:20261019T100000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=3")
    moved = "\r\n".join(
        [
            *("BEGIN:VEVENT", "UID:a", "DTSTAMP:20260101T000000Z", "SEQUENCE:1"),
            *("RECURRENCE-ID:20261020T100000Z", "DTSTART:20261020T150000Z", "DURATION:PT2H"),
            *("END:VEVENT", "BEGIN:VEVENT", "UID:a", "DTSTAMP:20260101T000000Z", "SEQUENCE:1"),
            *("RECURRENCE-ID:20261021T100000Z", "DTSTART:20261021T100000Z", "DURATION:PT1H"),
            *("STATUS:CANCELLED", "END:VEVENT", "END:VCALENDAR", ""),
        ]
    ).encode()
    whole = series.replace(b"END:VCALENDAR\r\n", moved)
    assert busy(whole) == ["19 10:00-19 11:00", "20 15:00-20 17:00"]


def test_rules_by_dates_and_in_every_frequency_are_known() -> None:
    for rule, count in (
        ("FREQ=DAILY", 14),
        ("FREQ=DAILY;UNTIL=20261021T235959Z", 3),
        ("FREQ=MONTHLY;BYDAY=-1FR", 2),  # the beginning counts, too (RFC 5545 3.8.5.3)
        ("FREQ=YEARLY;BYMONTH=10;BYMONTHDAY=24", 2),
    ):
        lines = ("DTSTART:20261019T100000Z", "DURATION:PT1H", f"RRULE:{rule}")
        assert len(busy(text(*lines))) == count
    dates = text("DTSTART:20261019T100000Z", "DURATION:PT1H", "RDATE:20261023T120000Z")
    assert busy(dates) == ["19 10:00-19 11:00", "23 12:00-23 13:00"]


def test_published_busy_times_count_and_free_ones_do_not() -> None:
    published = text(
        "FREEBUSY;FBTYPE=BUSY:20261020T100000Z/PT1H,20261021T100000Z/20261021T110000Z",
        "FREEBUSY;FBTYPE=FREE:20261022T100000Z/PT1H",
        "FREEBUSY:20261023T100000Z/PT1H",
        component="VFREEBUSY",
    )
    wanted = ["20 10:00-20 11:00", "21 10:00-21 11:00", "23 10:00-23 11:00"]
    assert busy(published) == wanted


def test_what_is_no_event_and_an_empty_calendar_are_nobodys_time() -> None:
    assert busy(text("DUE:20261020T100000Z", component="VTODO")) == []
    assert busy() == []


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (["DTSTART;TZID=Mars/Phobos:20261020T090000", "DURATION:PT1H"], "zone that is not known"),
        (["SUMMARY:when?"], "without a beginning"),
        (["DTSTART:soon", "DURATION:PT1H"], "cannot be read"),
        (["DTSTART:20261020T090000Z", "DTEND:later"], "cannot be read"),
        (["DTSTART:20261020T090000Z", "DURATION:PT1H", "RRULE:FREQ=OFTEN"], "cannot be read"),
    ],
)
def test_an_event_that_is_not_understood_is_not_taken_for_free_time(
    lines: list[str], reason: str
) -> None:
    with pytest.raises(CalendarError, match=reason):
        busy(text(*lines))


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=SECONDLY",
        "FREQ=MINUTELY;INTERVAL=7",
        "FREQ=HOURLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=DAILY;INTERVAL=0",
        "FREQ=DAILY;INTERVAL=-1",
        "FREQ=DAILY;BYHOUR=1,2,3,4,5;BYMINUTE=1,2,3,4,5",
    ],
)
def test_what_would_be_endless_to_reckon_is_refused(rule: str) -> None:
    lines = ("DTSTART:20261019T100000Z", "DURATION:PT1H", f"RRULE:{rule}")
    with pytest.raises(CalendarError, match="repeated in a way"):
        busy(text(*lines))


def test_a_rule_without_instances_is_not_followed_to_the_end_of_time() -> None:
    never = "RRULE:FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30"
    assert busy(text("DTSTART:20261019T100000Z", "DURATION:PT1H", never))[1:] == []


@pytest.mark.parametrize(
    "bad",
    [
        *(b"", b"<html>", b"\xff\xfe", b"BEGIN:VCALENDAR\r\nEND:X\r\n"),
        text("DTSTART:20261020T090000Z")[:-20],
        text("DTSTART:20261020T090000Z").replace(b"END:VEVENT\r\n", b""),
    ],
)
def test_what_is_no_calendar_is_told(bad: bytes) -> None:
    with pytest.raises(CalendarError, match="no iCalendar"):
        busy(bad)
