"""Openings reckoned the slow way: every zone's wall clock, read minute by minute.

Also what hypothesis makes policies and instants of: weekends on which clocks change, and others.
"""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from api.policy.retry import WEEKDAYS, CallingWindow, RetryPolicy

ZONES = ("America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kolkata")


def unix(text: str) -> float:
    """Unix time of an ISO 8601 instant with its offset."""
    return datetime.fromisoformat(text).timestamp()


#: Weekends with a change of clocks: forward and back for each zone that has them.
CHANGES = tuple(
    unix(text)
    for text in (
        "2027-03-14T02:00-05:00",
        "2026-11-01T01:00-05:00",
        "2027-03-28T02:00+01:00",
        "2026-10-25T02:00+01:00",
        "2026-10-04T02:00+10:30",
        "2027-04-04T01:30+10:30",
    )
)

instants = st.one_of(
    st.builds(
        lambda change, minutes: change + 60 * minutes,
        st.sampled_from(CHANGES),
        st.integers(-3 * 1440, 3 * 1440),
    ),
    st.floats(unix("2026-01-01T00:00+00:00"), unix("2030-01-01T00:00+00:00")),
)
zones = st.lists(st.sampled_from(ZONES), min_size=1, max_size=3, unique=True).map(tuple)


@st.composite
def windows(draw: st.DrawFn) -> CallingWindow:
    """Windows of any length, also over midnight, often around the hours that change."""
    start = draw(st.one_of(st.integers(0, 240), st.integers(0, 1439)))
    end = draw(st.integers(0, 1440).filter(lambda end: end != start))
    return CallingWindow(start, end, draw(st.integers(1, 100_000)))


policies = st.builds(
    RetryPolicy,
    allowed_days=st.frozensets(st.sampled_from(WEEKDAYS), min_size=1),
    calling_windows=st.lists(windows(), min_size=1, max_size=3).map(tuple),
    call_twice_in_a_row=st.booleans(),
    max_attempts=st.integers(1, 5),
    timezone=st.one_of(st.none(), st.sampled_from(ZONES)),
)


def is_open(policy: RetryPolicy, names: tuple[str, ...], at: float) -> bool:
    """Whether each zone's wall clock shows an allowed day and an hour of a window."""
    for name in (policy.timezone,) if policy.timezone else names:
        local = datetime.fromtimestamp(at // 1, UTC).astimezone(ZoneInfo(name))
        day = local.strftime("%A").lower()
        minute = int(local.strftime("%H")) * 60 + int(local.strftime("%M"))
        if day not in policy.allowed_days or not any(
            minute in range(one.start, one.end)
            if one.start < one.end
            else minute not in range(one.end, one.start)
            for one in policy.calling_windows
        ):
            return False
    return True
