"""When a retry policy is open, by the callee's wall clock, over daylight-saving changes.

One rule decides: an instant is open if in every zone the wall clock shows an allowed weekday and
a minute of a window. So an hour that a change skips is never open, one that it repeats is open
both times, and every other function here must agree with that rule.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import cycle
from math import floor
from typing import Final
from zoneinfo import ZoneInfo

from api.base.problems import FieldError, pointer
from api.policy.retry import DAY_MINUTES, WEEKDAYS, RetryPolicy
from api.policy.zones import zone

#: How far ahead an opening is looked for: a year of weekdays and changes, and some days.
HORIZON_S: Final = 370 * 24 * 3600


def open_at(policy: RetryPolicy, zones: Sequence[str], now: float) -> bool:
    """Whether the policy lets the callee's phone ring at `now` (Unix seconds).

    Args:
        policy: its `timezone`, if set, replaces `zones`.
        zones: IANA names; all must be open. None at all is never open.

    Raises:
        UnknownZoneError: of a zone that tzdata does not know.
    """
    week = _week(policy)
    names = _zones(policy, zones)
    return bool(names) and all(week[_minute(now, zone(name))] for name in names)


def next_opening(policy: RetryPolicy, zones: Sequence[str], now: float) -> float | None:
    """The first instant from `now` on that is open: `now` itself, or the start of a minute.

    None if there is none within `HORIZON_S`. Raises as `open_at` does.
    """
    week = _week(policy)
    names = _zones(policy, zones)
    if not names:
        return None
    at, agreed = now, 0
    # Every zone in turn pushes the instant on to its own next opening, until all accept it.
    for name in cycle(names):
        opening = _next_in_zone(week, zone(name), at)
        if opening is None or opening - now > HORIZON_S:
            return None
        agreed = agreed + 1 if opening == at else 1
        at = opening
        if agreed >= len(names):
            return at
    return None


def retry_delay(policy: RetryPolicy, zones: Sequence[str], instants: Sequence[float]) -> float:
    """Seconds to wait after an attempt: the delay of the window in which it ended.

    The first of the instants (its end, its start) at which a window is open in any zone decides,
    and of several such windows the longest delay. If there is none (a forced call, a conversation
    that began and ended outside), the policy's longest delay.
    """
    for at in instants:
        minutes = [_minute(at, zone(name)) % DAY_MINUTES for name in _zones(policy, zones)]
        delays = [
            window.retry_delay_s
            for window in policy.calling_windows
            if any(window.holds(minute) for minute in minutes)
        ]
        if delays:
            return max(delays)
    return max(window.retry_delay_s for window in policy.calling_windows)


def never_open(
    policy: RetryPolicy, zones: Sequence[str], now: float, retry_pointer: str = "/retry"
) -> FieldError | None:
    """What is wrong with a policy that never opens for this callee; None if it opens.

    Args:
        now: when the order may first be dialled, Unix seconds.
        retry_pointer: of the policy in the request's body.
    """
    if next_opening(policy, zones, now) is not None:
        return None
    if not _zones(policy, zones):
        detail = "the time zone of this number is not known; give timezone"
    else:
        detail = "no calling window ever opens on the allowed days"
    return FieldError(detail, retry_pointer + pointer("timezone"))


def _zones(policy: RetryPolicy, zones: Sequence[str]) -> Sequence[str]:
    return (policy.timezone,) if policy.timezone else zones


@lru_cache(maxsize=256)
def _week(policy: RetryPolicy) -> bytes:
    """A byte for every minute of two weeks from Monday 00:00: 1 if open.

    Two, so that a search from any minute of the first finds the next opening.
    """
    day = bytes(
        any(window.holds(minute) for window in policy.calling_windows)
        for minute in range(DAY_MINUTES)
    )
    closed = bytes(DAY_MINUTES)
    week = b"".join(day if name in policy.allowed_days else closed for name in WEEKDAYS)
    return week * 2


def _minute(at: float, where: ZoneInfo) -> int:
    """The minute of the week on the wall clock, 0 to 10079."""
    # Whole seconds: fromtimestamp would round up into a minute that has not begun.
    local = datetime.fromtimestamp(floor(at), where)
    return local.weekday() * DAY_MINUTES + local.hour * 60 + local.minute


def _next_in_zone(week: bytes, where: ZoneInfo, at: float) -> float | None:
    """The first open instant from `at` on in one zone; None if there is none at all."""
    while True:
        minute = _minute(at, where)
        if week[minute]:
            return at
        ahead = week.find(1, minute)
        if ahead < 0:
            return None
        now = floor(at)
        local = datetime.fromtimestamp(now, where)
        opening = now - local.second + 60 * (ahead - minute)
        offset = local.utcoffset()
        if _offset(opening, where) == offset:
            return opening
        # The clocks change on the way, and all is closed until they do: look again from there.
        # (No zone changes twice in a week.)
        at = _change(now, opening, where)


def _offset(at: int, where: ZoneInfo) -> timedelta | None:
    return datetime.fromtimestamp(at, where).utcoffset()


def _change(before: int, after: int, where: ZoneInfo) -> int:
    """The first second of the offset that holds at `after` and not at `before`."""
    old = _offset(before, where)
    while after - before > 1:
        middle = (before + after) // 2
        if _offset(middle, where) == old:
            before = middle
        else:
            after = middle
    return after
