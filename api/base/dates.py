"""Dates and times as language models write them, as RFC 3339 has them where that is certain."""

import re
import unicodedata
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from typing import Final

from api.base.time_zones import ZONE_NAMES
from api.base.time_zones import zone as zone_named

_MONTHS: Final = (
    "january february march april may june july august september october november december",
    "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
)
_WEEKDAYS: Final = (
    "monday tuesday wednesday thursday friday saturday sunday",
    "lunes martes miercoles jueves viernes sabado domingo",
)


def _numbered(lists: tuple[str, ...], first: int) -> dict[str, int]:
    """Names, whole or cut off after three letters or more, to their places in the lists."""
    return {
        name[:end]: number
        for names in lists
        for number, name in enumerate(names.split(), first)
        for end in range(3, len(name) + 1)
    }


_MONTH: Final = _numbered(_MONTHS, 1) | {"setiembre": 9}
_WEEKDAY: Final = _numbered(_WEEKDAYS, 0) | {"weds": 2}
#: Parts of a day, the half that they are in, and the hours of which that is certain.
_PARTS: Final = {
    **dict.fromkeys(("morning", "manana"), ("a", range(1, 12))),
    **dict.fromkeys(("afternoon", "tarde"), ("p", (12, *range(1, 9)))),
    **dict.fromkeys(("evening", "noche"), ("p", range(5, 12))),
}

_ZONES: Final = {name.casefold(): name for name in ZONE_NAMES}

_RFC3339: Final = re.compile(
    r"\d{4}-\d{2}-\d{2}T([01]\d|2[0-3])(:[0-5]\d){2}(\.\d+)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)",
    re.ASCII,
)
_ARTICLES: Final = re.compile(r"(?:(?:on|the|el|del|dia) )*")
_WITH_WEEKDAY: Final = (
    re.compile(r"(?P<weekday>[a-z]+)\.?,? (?P<date>.+)"),
    re.compile(r"(?P<date>.+?),? \(?(?P<weekday>[a-z]+)\.?\)?"),
)
_NAMED: Final = r"(?P<month>[^\W\d]{3,})\.?"
_NUMBERED: Final = r"(?P<day>\d{1,2})(?:st|nd|rd|th|º|\.)?"
_DATES: Final = [
    re.compile(form, re.ASCII)
    for form in (
        r"(?P<year>\d{4})(?P<mark>[-/.])(?P<month>\d{1,2})(?P=mark)(?P<day>\d{1,2})",
        # Wherever dots stand in dates, the day comes before the month.
        r"(?P<day>\d{1,2})\. ?(?P<month>\d{1,2})\. ?(?P<year>\d{4})",
        rf"{_NAMED}(?: the)? {_NUMBERED},? (?P<year>\d{{4}})",
        rf"{_NUMBERED}(?: of| de)?[ -]{_NAMED},?(?: of| del?)?[ -](?P<year>\d{{4}})",
    )
]
_DAY_OR_MONTH_FIRST: Final = re.compile(r"(\d{1,2})[/-](\d{1,2})[/-](\d{4})", re.ASCII)
#: What else ISO 8601 has: the basic form, and weeks.
_ISO8601: Final = re.compile(r"\d{8}|\d{4}-?w\d{2}-?\d", re.ASCII)
_BASIC: Final = re.compile(r"(\d{8}t)(\d{2})(\d{2})(?:(\d{2}))?", re.ASCII)
_UTC: Final = ("z", "utc", "gmt")
_OFFSET: Final = rf"{'|'.join(_UTC)}|[+-]\d{{2}}:?\d{{2}}|[+-]\d{{2}}"
#: With RFC 9557's zone and tags in brackets. A tag that is said to be critical is not understood.
_CLOCK: Final = (
    r"(?:(?P<noon>(?:12 )?(?:noon|mediodia))|"
    r"(?P<hour>\d{1,2})(?::(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,](?P<fraction>\d{1,6})\d*)?)?)?"
    rf"(?: ?(?P<half>[ap])\.? ?m\.?| (?:in the|de la) (?P<part>{'|'.join(_PARTS)})"
    r"| ?h(?:r?s|oras)?)?)"
    rf"(?: ?(?P<offset>{_OFFSET}))?(?: ?\[!?(?P<zone>[^\]=]+)\])?(?: ?\[[^!\]=][^\]=]*=[^\]=]+\])*"
)
_AT: Final = r"(?:at |al? |a las? )?"
_MOMENTS: Final = [
    re.compile(form, re.ASCII)
    for form in (rf"(?P<date>.+?)(?:t|,? {_AT}){_CLOCK}", rf"{_AT}{_CLOCK},? (?P<date>.+)")
]


def as_date(text: str) -> str | None:
    """A text as RFC 3339's `full-date`; None where it is none, or may be another one.

    Also in ISO 8601's other forms and with names of months, English or Spanish. Of a time, the
    date is taken that is written. A weekday that the date does not fall on makes it doubtful.
    """
    plain = _plain(text)
    found = _date(plain)
    if found is None and (moment := _moment(plain)) and as_datetime(text, UTC):
        found = moment[0]
    return None if found is None else found.isoformat()


def as_datetime(text: str, zone: tzinfo) -> str | None:
    """A text as RFC 3339's `date-time`; None where it is none, or may be another one.

    Args:
        text: a date in a form that `as_date` takes, with a time of day. 24:00 is the next day's
            midnight.
        zone: of a time without an offset or a zone in brackets (`[Europe/Paris]`), which must
            agree. One that the clocks skip or show twice is doubtful.
    """
    moment = _moment(_plain(text))
    if moment is None:
        return None
    day, found = moment
    clock = _time_of_day(found)
    named = zone if found["zone"] is None else _named(found["zone"])
    told = found["offset"]
    offset = named if told is None else _offset(told)
    if clock is None or named is None or offset is None:
        return None
    if _RFC3339.fullmatch(text):
        return text
    try:
        at = datetime(day.year, day.month, day.day, tzinfo=offset) + clock
        # Z says the moment, not what clocks showed there.
        if found["zone"] and told not in _UTC and _other_clock(at, named):
            return None
    except OverflowError:
        return None
    # The difference is one of wall clocks.
    return at.isoformat() if at.utcoffset() == at.replace(fold=1).utcoffset() else None


def _plain(text: str) -> str:
    """Without accents, cases and what is blank."""
    apart = unicodedata.normalize("NFD", text.casefold())
    letters = "".join(char for char in apart if not unicodedata.combining(char))
    return " ".join(letters.split()).removesuffix(".")


def _moment(text: str) -> tuple[date, re.Match[str]] | None:
    """The date of a text, and its time of day; None where there is no date beside a time."""
    if (basic := _BASIC.match(text)) is not None:
        text = f"{basic[1]}{basic[2]}:{basic[3]}:{basic[4] or '00'}{text[basic.end() :]}"
    for form in _MOMENTS:
        if (found := form.fullmatch(text)) and (day := _date(found["date"])) is not None:
            return day, found
    return None


def _date(text: str) -> date | None:
    plain = _plain_date(text)
    if plain is not None:
        return plain
    text = _without_articles(text)
    for form in _WITH_WEEKDAY:
        if (on := form.fullmatch(text)) and (weekday := _WEEKDAY.get(on["weekday"])) is not None:
            found = _plain_date(on["date"])
            return found if found is not None and weekday == found.weekday() else None
    return None


def _without_articles(text: str) -> str:
    return _ARTICLES.sub("", text, count=1)


def _plain_date(text: str) -> date | None:
    text = _without_articles(text)
    try:
        for form in _DATES:
            if found := form.fullmatch(text):
                month = found["month"]
                number = int(month) if month.isdecimal() else _MONTH.get(month, 0)
                return date(int(found["year"]), number, int(found["day"]))
        if found := _DAY_OR_MONTH_FIRST.fullmatch(text):
            first, second, year = map(int, found.groups())
            if first == second or max(first, second) > 12:
                return date(year, min(first, second), max(first, second))
        if _ISO8601.fullmatch(text):
            return date.fromisoformat(text.upper())
    except ValueError:
        pass
    return None


def _time_of_day(found: re.Match[str]) -> timedelta | None:
    """Since midnight; None where no clock shows it."""
    if found["noon"] is not None:
        return timedelta(hours=12)
    hour, minute, second = (int(found[part] or 0) for part in ("hour", "minute", "second"))
    half, part = found["half"], found["part"]
    if half is not None or part is not None:
        half, hours = (half, range(1, 13)) if part is None else _PARTS[part]
        if hour not in hours:
            return None
        hour = hour % 12 + (12 if half == "p" else 0)
    elif found["minute"] is None:
        return None
    microsecond = int((found["fraction"] or "0").ljust(6, "0"))
    whole = timedelta(hours=hour, minutes=minute, seconds=second, microseconds=microsecond)
    return whole if max(minute, second) < 60 and whole <= timedelta(days=1) else None


def _named(name: str) -> tzinfo | None:
    """A zone by what stands in the brackets; None of one that is not known."""
    if re.fullmatch(_OFFSET, name, re.ASCII):
        return _offset(name)
    known = _ZONES.get(name)
    return None if known is None else zone_named(known)


def _other_clock(at: datetime, zone: tzinfo) -> bool:
    """Whether the clocks of a zone show another time then."""
    return at.astimezone(zone).utcoffset() != at.utcoffset()


def _offset(text: str) -> tzinfo | None:
    """None of an offset that cannot be."""
    if text in _UTC:
        return UTC
    hours, minutes = int(text[1:3]), int(text[3:].lstrip(":") or 0)
    if hours > 23 or minutes > 59:
        return None
    ahead = timedelta(hours=hours, minutes=minutes)
    return timezone(-ahead if text[0] == "-" else ahead)
