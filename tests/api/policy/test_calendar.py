import pytest
from hypothesis import given, settings

from api.policy.calendar import never_open, next_opening, open_at, retry_delay
from api.policy.retry import DEFAULT_RETRY, WEEKDAYS, CallingWindow, RetryPolicy
from api.policy.zones import UnknownZoneError
from tests.api.policy.oracle import instants, is_open, policies, unix, zones

EVERY_DAY = frozenset(WEEKDAYS)
NEW_YORK = ("America/New_York",)
BERLIN = ("Europe/Berlin",)
LORD_HOWE = ("Australia/Lord_Howe",)


def daily(start: int, end: int) -> RetryPolicy:
    return RetryPolicy(EVERY_DAY, (CallingWindow(start, end),))


NIGHT = daily(22 * 60, 2 * 60)
#: 02:15 to 02:45, which some nights skip and others repeat.
NIGHTLY = daily(135, 165)


@pytest.mark.parametrize(
    ("policy", "names", "at", "expected"),
    [
        # The default: Monday to Friday, 10:00 to 18:00 (RV-109, RV-119, RV-123).
        (DEFAULT_RETRY, BERLIN, "2026-11-20T09:59:59.999999+01:00", False),
        (DEFAULT_RETRY, BERLIN, "2026-11-20T10:00+01:00", True),
        (DEFAULT_RETRY, BERLIN, "2026-11-20T17:59:59.999999+01:00", True),
        (DEFAULT_RETRY, BERLIN, "2026-11-20T18:00+01:00", False),
        (DEFAULT_RETRY, BERLIN, "2026-11-21T12:00+01:00", False),
        # RV-110, RV-121: Friday afternoon there, Saturday already here.
        (DEFAULT_RETRY, ("Pacific/Honolulu",), "2026-11-21T00:30+00:00", True),
        (DEFAULT_RETRY, NEW_YORK, "2026-11-20T10:00+01:00", False),
        # Several zones: open in all of them; RV-134: unless one is named.
        (DEFAULT_RETRY, BERLIN + NEW_YORK, "2026-11-20T11:00+01:00", False),
        (DEFAULT_RETRY, BERLIN + NEW_YORK, "2026-11-20T16:30+01:00", True),
        (RetryPolicy(timezone="Europe/Berlin"), NEW_YORK, "2026-11-20T11:00+01:00", True),
        (RetryPolicy(timezone="Europe/Berlin"), (), "2026-11-20T11:00+01:00", True),
        (DEFAULT_RETRY, (), "2026-11-20T11:00+01:00", False),
        # Over midnight: the weekday is that of the instant itself.
        (NIGHT, BERLIN, "2026-11-20T23:59+01:00", True),
        (NIGHT, BERLIN, "2026-11-21T01:59+01:00", True),
        (NIGHT, BERLIN, "2026-11-21T02:00+01:00", False),
        (RetryPolicy(calling_windows=NIGHT.calling_windows), BERLIN, "2026-11-21T01:00+01:00", 0),
        (RetryPolicy(calling_windows=NIGHT.calling_windows), BERLIN, "2026-11-23T01:00+01:00", 1),
        # An hour that is repeated is open both times.
        (NIGHTLY, BERLIN, "2026-10-25T02:30+02:00", True),
        (NIGHTLY, BERLIN, "2026-10-25T02:30+01:00", True),
        (NIGHTLY, BERLIN, "2026-10-25T02:50+02:00", False),
        # India has half an hour, and no summer time.
        (DEFAULT_RETRY, ("Asia/Kolkata",), "2026-11-20T04:30+00:00", True),
        (DEFAULT_RETRY, ("Asia/Kolkata",), "2026-11-20T04:29+00:00", False),
    ],
)
@pytest.mark.rows("RV-101", "RV-109…110", "RV-117", "RV-121", "RV-125", "RV-134")
def test_open_at(policy: RetryPolicy, names: tuple[str, ...], at: str, expected: bool) -> None:
    assert open_at(policy, names, unix(at)) is bool(expected)


@pytest.mark.parametrize(
    ("policy", "names", "at", "expected"),
    [
        # Open already: now, to the fraction of a second.
        (DEFAULT_RETRY, BERLIN, "2026-11-20T10:00:00.250+01:00", "2026-11-20T10:00:00.250+01:00"),
        (DEFAULT_RETRY, BERLIN, "2026-11-20T09:59:59.999+01:00", "2026-11-20T10:00+01:00"),
        # RV-101: over the weekend, and over the change of clocks on it.
        (DEFAULT_RETRY, BERLIN, "2026-10-23T18:00+02:00", "2026-10-26T10:00+01:00"),
        (DEFAULT_RETRY, NEW_YORK, "2027-03-12T18:00-05:00", "2027-03-15T10:00-04:00"),
        (DEFAULT_RETRY, LORD_HOWE, "2026-10-02T18:00+10:30", "2026-10-05T10:00+11:00"),
        # A window that the night skips: the next night's; half of it: from the change on.
        (NIGHTLY, BERLIN, "2027-03-28T00:00+01:00", "2027-03-29T02:15+02:00"),
        (daily(150, 210), BERLIN, "2027-03-28T00:00+01:00", "2027-03-28T03:00+02:00"),
        (NIGHTLY, LORD_HOWE, "2026-10-04T00:00+10:30", "2026-10-04T02:30+11:00"),
        # A window that the night repeats: again after its first end.
        (NIGHTLY, BERLIN, "2026-10-25T02:45+02:00", "2026-10-25T02:15+01:00"),
        (daily(105, 150), LORD_HOWE, "2027-04-04T01:50+11:00", "2027-04-04T01:50+11:00"),
        # Two zones: when the later one opens.
        (DEFAULT_RETRY, BERLIN + NEW_YORK, "2026-11-20T10:00+01:00", "2026-11-20T16:00+01:00"),
        # One hour that coincides only while one side has summer time.
        (
            daily(600, 630),
            ("America/Phoenix", "America/Denver"),
            "2026-06-01T00:00+00:00",
            "2026-11-01T10:00-07:00",
        ),
    ],
)
def test_next_opening(policy: RetryPolicy, names: tuple[str, ...], at: str, expected: str) -> None:
    assert next_opening(policy, names, unix(at)) == unix(expected)


def test_a_policy_that_never_opens_is_told_with_its_remedy() -> None:
    now = unix("2026-11-20T10:00+01:00")
    assert next_opening(DEFAULT_RETRY, (), now) is None
    unknown = never_open(DEFAULT_RETRY, (), now)
    assert unknown
    assert "not known" in unknown.detail
    assert unknown.pointer == "/retry/timezone"
    assert never_open(RetryPolicy(timezone="Europe/Berlin"), (), now) is None
    assert never_open(DEFAULT_RETRY, BERLIN, now) is None


def test_a_zone_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(UnknownZoneError):
        open_at(DEFAULT_RETRY, ("Mars/Base",), 0)


@pytest.mark.parametrize(
    ("names", "instants", "expected"),
    [
        pytest.param(BERLIN, ("2026-11-20T11:00+01:00",), 60, id="RV-126: where it ended"),
        pytest.param(BERLIN, ("2026-11-20T13:00+01:00",), 600, id="overlapping: the longest"),
        pytest.param(BERLIN, ("2026-11-20T15:00+01:00",), 600, id="the other window"),
        pytest.param(
            BERLIN, ("2026-11-20T19:00+01:00", "2026-11-20T11:59+01:00"), 60, id="where it began"
        ),
        pytest.param(BERLIN, ("2026-11-20T05:00+01:00",) * 2, 3600, id="outside: the longest"),
        pytest.param(
            ("Europe/Berlin", "Europe/London"), ("2026-11-20T12:30+01:00",), 600, id="two zones"
        ),
    ],
)
def test_retry_delay(names: tuple[str, ...], instants: tuple[str, ...], expected: float) -> None:
    policy = RetryPolicy(
        calling_windows=(
            CallingWindow(10 * 60, 14 * 60, 60),
            CallingWindow(12 * 60, 16 * 60, 600),
            CallingWindow(23 * 60, 1 * 60, 3600),
        )
    )
    assert retry_delay(policy, names, [unix(one) for one in instants]) == expected


@given(policies, zones, instants)
@pytest.mark.rows("RV-101…108", "RV-110", "RV-117", "RV-121", "RV-125")
def test_open_as_the_wall_clocks_show(
    policy: RetryPolicy, names: tuple[str, ...], now: float
) -> None:
    assert open_at(policy, names, now) == is_open(policy, names, now)


@settings(max_examples=200)
@given(policies, zones, instants)
def test_nothing_opens_before_the_next_opening(
    policy: RetryPolicy, names: tuple[str, ...], now: float
) -> None:
    opening = next_opening(policy, names, now)
    if opening is not None:
        assert opening >= now
        assert is_open(policy, names, opening)
    # A day is read minute by minute: what lies further ahead is the tables' affair.
    minute = now
    while minute < min(now + 36 * 3600, opening if opening is not None else now + 36 * 3600):
        assert not is_open(policy, names, minute)
        minute = minute // 60 * 60 + 60
