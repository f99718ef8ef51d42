"""The retry policy of an order: on which days, in which hours and how often to try.

Written as an API's JSON and read back (RV-99…136). What a client leaves out is completed from
the defaults, member by member.
"""

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

from api.base.problems import FieldError, invalid, pointer
from api.policy.zones import UnknownZoneError, zone

Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
WEEKDAYS: Final[tuple[Weekday, ...]] = get_args(Weekday)
DAY_MINUTES: Final = 24 * 60

#: What an operator can mean; Revox's own limit is 2^53 - 1 for both (RV-128, RV-132).
MAX_ATTEMPTS: Final = 50
MAX_RETRY_DELAY_S: Final = 31 * 24 * 3600
MAX_WINDOWS: Final = 24

Place = tuple[str | int, ...]


@dataclass(frozen=True)
class CallingWindow:
    """Hours of the day in which to dial, and the pause after an attempt that ended in them."""

    start: int = 10 * 60
    """Minutes after midnight of the callee's wall clock, 0 to 1439; the first open minute."""
    end: int = 18 * 60
    """Likewise, 0 to 1440; the first closed minute. Before `start`: the window spans midnight."""
    retry_delay_s: float = 7200

    def holds(self, minute: int) -> bool:
        """Whether this minute of the day lies in the window."""
        if self.start < self.end:
            return self.start <= minute < self.end
        return minute >= self.start or minute < self.end


@dataclass(frozen=True)
class RetryPolicy:
    """When and how often an order is tried. An instant is open if its own weekday is allowed and
    its time of day is in a window, both by the callee's wall clock.

    So of a window that spans midnight, the part after midnight counts as the new day's:
    22:00–02:00 on Mondays is 00:00–02:00 and 22:00–24:00 of each Monday.
    """

    allowed_days: frozenset[Weekday] = frozenset(WEEKDAYS[:5])
    calling_windows: tuple[CallingWindow, ...] = (CallingWindow(),)
    call_twice_in_a_row: bool = False
    """Whether attempt 2 skips the delay (RV-111)."""
    max_attempts: int = 3
    """Counts the first attempt too (RV-130)."""
    timezone: str | None = None
    """IANA name; None for the zones of the number."""


DEFAULT_RETRY: Final = RetryPolicy()


@dataclass(frozen=True)
class Names:
    """What a dialect calls the members that dialects call differently."""

    start: str = "start"
    end: str = "end"
    max_attempts: str = "max_attempts"


NATIVE: Final = Names()
REVOX: Final = Names("calling_window_start_time", "calling_window_end_time", "max_retry_attempts")


def parse_retry(
    value: Any,
    place: Place = ("retry",),
    names: Names = NATIVE,
    defaults: RetryPolicy = DEFAULT_RETRY,
) -> RetryPolicy:
    """Check a policy as JSON and complete it from `defaults`; null counts as left out.

    A window is completed from the first window of `defaults`. One that spans midnight has to
    name both its ends: a default must not turn "from 19:00" into 23 hours.

    Args:
        value: what `json.loads` made of it.
        place: where it stands in the body, for the pointers of errors.

    Raises:
        Problem: 422 with a pointer to every wrong member.
    """
    parser = _Parser(names, defaults)
    policy = parser.policy(value, place)
    if parser.errors:
        raise invalid(parser.errors)
    return policy


def retry_json(policy: RetryPolicy, names: Names = NATIVE) -> dict[str, Any]:
    """A policy as it is stored and shown; `parse_retry` gives the same policy back."""
    return {
        "allowed_days": [day for day in WEEKDAYS if day in policy.allowed_days],
        "calling_windows": [
            {
                names.start: _clock(window.start),
                names.end: _clock(window.end),
                "retry_delay_seconds": window.retry_delay_s,
            }
            for window in policy.calling_windows
        ],
        "call_twice_in_a_row": policy.call_twice_in_a_row,
        names.max_attempts: policy.max_attempts,
        "timezone": policy.timezone,
    }


_24_HOURS = re.compile(r"([0-9]{1,2}):([0-9]{2})")
_12_HOURS = re.compile(r"([0-9]{1,2})(?::([0-9]{2}))? ?([ap])m", re.IGNORECASE)


def parse_time(text: str) -> int | None:
    """Minutes after midnight of `HH:mm` or `H:mma` (RV-118, RV-120); None if it is neither.

    `17:00`, `9:00`, `6pm`, `10am`, `9:30pm`, `24:00` (1440). Noon is 12pm, midnight 12am.
    """
    if found := _24_HOURS.fullmatch(text):
        hour, minute = int(found[1]), int(found[2])
        whole = hour * 60 + minute
        return whole if minute < 60 and whole <= DAY_MINUTES else None
    if found := _12_HOURS.fullmatch(text):
        hour, minute = int(found[1]), int(found[2] or 0)
        if not 1 <= hour <= 12 or minute >= 60:
            return None
        return (hour % 12 + (12 if found[3] in "pP" else 0)) * 60 + minute
    return None


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


class _Parser:
    def __init__(self, names: Names, defaults: RetryPolicy) -> None:
        self._names = names
        self._defaults = defaults
        self.errors: list[FieldError] = []

    def _wrong(self, detail: str, place: Place) -> None:
        self.errors.append(FieldError(detail, pointer(*place)))

    def _members(
        self, value: Any, place: Place, known: Sequence[str]
    ) -> Mapping[str, tuple[Any, Place]]:
        """The members that are given, each with its place."""
        if not isinstance(value, dict):
            self._wrong("must be a JSON object", place)
            return {}
        for key in value:
            if key not in known:
                near = difflib.get_close_matches(str(key), known, 1)
                hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
                self._wrong(f"unknown key; {hint}", (*place, key))
        return {key: (value[key], (*place, key)) for key in known if value.get(key) is not None}

    def policy(self, value: Any, place: Place) -> RetryPolicy:
        defaults, names = self._defaults, self._names
        given = self._members(
            value,
            place,
            (
                "allowed_days",
                "calling_windows",
                "call_twice_in_a_row",
                names.max_attempts,
                "timezone",
            ),
        )
        twice, twice_place = given.get("call_twice_in_a_row", (defaults.call_twice_in_a_row, place))
        if not isinstance(twice, bool):
            self._wrong("must be true or false", twice_place)
        return RetryPolicy(
            self._days(*given["allowed_days"])
            if "allowed_days" in given
            else defaults.allowed_days,
            self._windows(*given["calling_windows"])
            if "calling_windows" in given
            else defaults.calling_windows,
            twice is True,
            self._attempts(*given[names.max_attempts])
            if names.max_attempts in given
            else defaults.max_attempts,
            self._zone(*given["timezone"]) if "timezone" in given else defaults.timezone,
        )

    def _days(self, value: Any, place: Place) -> frozenset[Weekday]:
        if not isinstance(value, list) or not value:
            self._wrong("must be a list of weekdays with at least one of them", place)
            return frozenset()
        for index, day in enumerate(value):
            if day not in WEEKDAYS:
                self._wrong(f"must be one of {', '.join(WEEKDAYS)}", (*place, index))
        return frozenset(day for day in WEEKDAYS if day in value)

    def _windows(self, value: Any, place: Place) -> tuple[CallingWindow, ...]:
        if not isinstance(value, list) or not 1 <= len(value) <= MAX_WINDOWS:
            self._wrong(f"must be a list of 1 to {MAX_WINDOWS} windows", place)
            return ()
        return tuple(self._window(one, (*place, index)) for index, one in enumerate(value))

    def _window(self, value: Any, place: Place) -> CallingWindow:
        default, names = self._defaults.calling_windows[0], self._names
        given = self._members(value, place, (names.start, names.end, "retry_delay_seconds"))
        start = self._time(*given[names.start]) if names.start in given else default.start
        end = self._time(*given[names.end]) if names.end in given else default.end
        delay = (
            self._delay(*given["retry_delay_seconds"])
            if "retry_delay_seconds" in given
            else default.retry_delay_s
        )
        if start is None or end is None:
            return default
        if start == DAY_MINUTES:
            self._wrong("a day starts at 00:00; 24:00 can only be an end", (*place, names.start))
        elif start == end:
            self._wrong(
                "the window is empty; a whole day is from 00:00 to 24:00", (*place, names.end)
            )
        elif end < start and (names.start in given) != (names.end in given):
            missing = names.end if names.start in given else names.start
            self._wrong(
                f"{_clock(start)} to {_clock(end)} would span midnight; "
                f"say so by giving {missing} too",
                (*place, missing),
            )
        return CallingWindow(start, end, delay)

    def _time(self, value: Any, place: Place) -> int | None:
        minute = parse_time(value) if isinstance(value, str) else None
        if minute is None:
            self._wrong("must be a time of day, as 17:00, 9:30, 6pm or 9:30pm", place)
        return minute

    def _delay(self, value: Any, place: Place) -> float:
        # Compared before converted: an integer may be too large for a float, and NaN is never.
        if not _is_number(value) or not 0 < value <= MAX_RETRY_DELAY_S:
            self._wrong(
                f"must be a number of seconds above 0, at most {MAX_RETRY_DELAY_S} (31 days)",
                place,
            )
            return 0
        return int(value) if value == int(value) else float(value)

    def _attempts(self, value: Any, place: Place) -> int:
        if not _is_number(value) or not 1 <= value <= MAX_ATTEMPTS or value != int(value):
            self._wrong(f"must be a whole number from 1 to {MAX_ATTEMPTS}", place)
            return 1
        return int(value)

    def _zone(self, value: Any, place: Place) -> str | None:
        if not isinstance(value, str):
            self._wrong("must be the name of a time zone, as Europe/Paris", place)
            return None
        try:
            zone(value)
        except UnknownZoneError as error:
            self._wrong(str(error), place)
        return value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
