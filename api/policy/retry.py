"""The retry policy of an order: on which days, in which hours and how often to try.

Written as an API's JSON and read back. What a client leaves out is completed from
the defaults, member by member.
"""

import re
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, Self, get_args

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from api.base.fields import Body
from api.policy.zones import UnknownZoneError, zone

Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
WEEKDAYS: Final[tuple[Weekday, ...]] = get_args(Weekday)
DAY_MINUTES: Final = 24 * 60

#: What an operator can mean; Revox's own limit is 2^53 - 1 for both.
MAX_ATTEMPTS: Final = 50
MAX_RETRY_DELAY_S: Final = 31 * 24 * 3600
MAX_WINDOWS: Final = 24


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
    """Whether attempt 2 skips the delay."""
    max_attempts: int = 3
    """Counts the first attempt too."""
    timezone: str | None = None
    """IANA name; None for the zone of the number."""


DEFAULT_RETRY: Final = RetryPolicy()


_24_HOURS = re.compile(r"([0-9]{1,2}):([0-9]{2})")
_12_HOURS = re.compile(r"([0-9]{1,2})(?::([0-9]{2}))? ?([ap])m", re.IGNORECASE)


def parse_time(text: str) -> int | None:
    """Minutes after midnight of `HH:mm` or `H:mma`; None if it is neither.

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


def _wrong(detail: str) -> PydanticCustomError:
    return PydanticCustomError("retry", "{detail}", {"detail": detail})


def _time_of_day(text: str) -> str:
    if parse_time(text) is None:
        raise _wrong("must be a time of day, as 17:00, 9:30, 6pm or 9:30pm")
    return text


def _zone_name(name: str) -> str:
    try:
        zone(name)
    except UnknownZoneError as error:
        raise _wrong(str(error)) from error
    return name


def _whole(value: Any) -> Any:
    """JSON has one kind of number: 3.0 is a whole one."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _shortest(value: float) -> float:
    """7200 rather than 7200.0."""
    return int(value) if value.is_integer() else value


TimeOfDay = Annotated[str, AfterValidator(_time_of_day)]


class WindowFields(Body):
    """Hours of the day in which to dial, by the callee's wall clock, as `17:00`, `6pm` or
    `9:30pm`. A window that spans midnight names both its ends."""

    start: TimeOfDay | None = Field(
        default=None, description="The first open minute; default 10:00.", examples=["10:00"]
    )
    end: TimeOfDay | None = Field(
        default=None,
        description="The first closed minute, `24:00` at the latest; default 18:00.",
        examples=["6pm"],
    )
    retry_delay_seconds: (
        Annotated[float, Field(gt=0, le=MAX_RETRY_DELAY_S), AfterValidator(_shortest)] | None
    ) = Field(
        default=None,
        description="The pause after an attempt that ended in these hours; default 7200.",
        examples=[7200],
    )

    @model_validator(mode="after")
    def _opens(self) -> Self:
        window = self.window()
        if window.start == DAY_MINUTES:
            self._refuse("start", "a day starts at 00:00; 24:00 can only be an end")
        if window.start == window.end:
            self._refuse("end", "the window is empty; a whole day is from 00:00 to 24:00")
        # A default must not turn "from 19:00" into 23 hours.
        if window.end < window.start and (self.start is None or self.end is None):
            span = f"{_clock(window.start)} to {_clock(window.end)} would span midnight"
            missing = "start" if self.start is None else "end"
            self._refuse(missing, f"{span}; say so by giving both its ends")
        return self

    def _refuse(self, member: str, detail: str) -> None:
        wrong = InitErrorDetails(type=_wrong(detail), loc=(member,), input=None)
        raise ValidationError.from_exception_data("WindowFields", [wrong])

    def window(self) -> CallingWindow:
        """Completed."""
        default = DEFAULT_RETRY.calling_windows[0]
        start, end = (None if text is None else parse_time(text) for text in (self.start, self.end))
        delay_s = self.retry_delay_seconds
        return CallingWindow(
            default.start if start is None else start,
            default.end if end is None else end,
            default.retry_delay_s if delay_s is None else delay_s,
        )


class RetryFields(Body):
    """When and how often to try until a human is reached; what is left out or null is completed
    from the defaults."""

    allowed_days: Annotated[list[Weekday], Field(min_length=1)] | None = Field(
        default=None, description="Default Monday to Friday.", examples=[["monday", "friday"]]
    )
    calling_windows: (
        Annotated[list[WindowFields], Field(min_length=1, max_length=MAX_WINDOWS)] | None
    ) = Field(default=None, description="Default one, with its defaults.")
    call_twice_in_a_row: bool | None = Field(
        default=None, description="Whether the second attempt waits for no delay; default false."
    )
    max_attempts: Annotated[int, BeforeValidator(_whole), Field(ge=1, le=MAX_ATTEMPTS)] | None = (
        Field(default=None, description="Counts the first attempt too; default 3.", examples=[2])
    )
    timezone: Annotated[str, AfterValidator(_zone_name)] | None = Field(
        default=None,
        description="IANA name; default where the callee is, by the number and "
        "`calls.default_timezone`.",
        examples=["America/New_York"],
    )

    def policy(self) -> RetryPolicy:
        """Completed."""
        default = DEFAULT_RETRY
        return RetryPolicy(
            default.allowed_days if self.allowed_days is None else frozenset(self.allowed_days),
            default.calling_windows
            if self.calling_windows is None
            else tuple(one.window() for one in self.calling_windows),
            self.call_twice_in_a_row or default.call_twice_in_a_row,
            self.max_attempts or default.max_attempts,
            self.timezone,
        )


def parse_retry(value: Any) -> RetryPolicy:
    """A policy from its JSON, completed. Raises ValidationError."""
    return RetryFields.model_validate(value).policy()


def retry_json(policy: RetryPolicy) -> dict[str, Any]:
    """A policy as it is stored and shown; `parse_retry` gives the same policy back."""
    return {
        "allowed_days": [day for day in WEEKDAYS if day in policy.allowed_days],
        "calling_windows": [
            {
                "start": _clock(window.start),
                "end": _clock(window.end),
                "retry_delay_seconds": window.retry_delay_s,
            }
            for window in policy.calling_windows
        ],
        "call_twice_in_a_row": policy.call_twice_in_a_row,
        "max_attempts": policy.max_attempts,
        "timezone": policy.timezone,
    }


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"
