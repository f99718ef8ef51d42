"""Hostile calendars, read as the server reads them: in a process that may be killed."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest

from api.calendars.errors import CalendarError
from api.calendars.interval import Interval
from api.calendars.reader import Reader
from tests.api.calendars.test_busy import BERLIN, SPAN, text

HOUR = text("DTSTART:20261020T090000Z", "DURATION:PT1H")
BUSY = [
    Interval(datetime(2026, 10, 20, 9, tzinfo=UTC), datetime(2026, 10, 20, 10, tzinfo=UTC)),
]
#: MB of address space that a process of ours may have.
_MOST_MB = 512


@pytest.fixture
async def reader() -> AsyncIterator[Reader]:
    async with aclosing(Reader()) as reader:
        yield reader
    assert not workers()


def workers() -> list[psutil.Process]:
    """Processes of ours that read calendars."""
    children = psutil.Process().children()
    return [
        one for one in children if not has_ended(one) and "api.calendars.worker" in one.cmdline()
    ]


def has_ended(process: psutil.Process) -> bool:
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


async def busy(reader: Reader, calendar: bytes) -> list[Interval]:
    return await reader.busy("feed", calendar, SPAN, BERLIN)


def many(count: int, event: Callable[[int], Iterable[str]]) -> bytes:
    """A calendar of so many events."""
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0"]
    for number in range(count):
        lines += ["BEGIN:VEVENT", f"UID:{number}", *event(number), "END:VEVENT"]
    return "\r\n".join([*lines, "END:VCALENDAR", ""]).encode()


def zoned(*changes: str) -> bytes:
    """An event in a time zone that the calendar defines."""
    return "\r\n".join(
        [
            *("BEGIN:VCALENDAR", "BEGIN:VTIMEZONE", "TZID:Here", "BEGIN:STANDARD"),
            *("DTSTART:19700101T000000", "TZOFFSETFROM:+0100", "TZOFFSETTO:+0100", *changes),
            *("END:STANDARD", "END:VTIMEZONE", "BEGIN:VEVENT", "UID:1"),
            *("DTSTART;TZID=Here:20261020T100000", "DURATION:PT1H", "END:VEVENT"),
            *("END:VCALENDAR", ""),
        ]
    ).encode()


MINUTES = ",".join(
    f"202610{20 + n // 1440:02}T{n // 60 % 24:02}{n % 60:02}00Z" for n in range(4320)
)
DAILY = "RRULE:FREQ=DAILY"
SINCE = "DTSTART:19700101T000000Z"
HOURLY = ",".join(map(str, range(24)))
HOSTILE = {
    "sixty years, every day": text(SINCE, "DURATION:P21900D", DAILY),
    "sixty years, every hour": text(SINCE, "DURATION:P21900D", f"{DAILY};BYHOUR={HOURLY}"),
    "thirty of those": many(30, lambda _: [SINCE, "DURATION:P21900D", f"{DAILY};BYHOUR={HOURLY}"]),
    "one changed to last sixty years": text(SINCE, "DURATION:PT1H", DAILY).replace(
        b"END:VCALENDAR",
        b"BEGIN:VEVENT\r\nUID:a\r\nRECURRENCE-ID:20261020T000000Z\r\nDTSTART:20261020T000000Z\r\n"
        b"DURATION:P21900D\r\nEND:VEVENT\r\nEND:VCALENDAR",
    ),
    "every hour since 1970": text(SINCE, "DURATION:PT1H", f"{DAILY};BYHOUR={HOURLY}"),
    "a hundred rules": text(SINCE, "DURATION:PT1H", *[DAILY] * 100),
    "every second of a second": text(
        SINCE, "DURATION:PT1H", "RRULE:FREQ=SECONDLY;BYSECOND=" + ",".join(map(str, range(60)))
    ),
    "countless": text(SINCE, "DURATION:P9000D", f"{DAILY};COUNT=999999999"),
    "dates of minutes": text(SINCE, "DURATION:PT1H", *[f"RDATE:{MINUTES}"] * 8),
    "exceptions of minutes": text(SINCE, "DURATION:PT1H", DAILY, *[f"EXDATE:{MINUTES}"] * 8),
    "a zone that changes daily": zoned(DAILY),
    "a zone that changes by dates": zoned(*[f"RDATE:{MINUTES}"] * 8),
    "free and busy by the minute": text(
        "FREEBUSY:" + ",".join(["20261020T100000Z/PT1H"] * 100_000), component="VFREEBUSY"
    ),
    "nested": b"BEGIN:VCALENDAR\r\n" * 50_000 + b"END:VCALENDAR\r\n" * 50_000,
    "crowded": many(30_000, lambda _: ["DTSTART:20261020T090000Z", "DURATION:PT1H"]),
    "longer than time": text("DTSTART:99991231T000000Z", "DURATION:P999999999D", DAILY),
    "the end of time": text("DTSTART:99991231T000000Z", "DURATION:P21900D", DAILY),
}


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE.keys())
async def test_a_hostile_calendar_is_refused(reader: Reader, hostile: bytes) -> None:
    with pytest.raises(CalendarError, match=r"^it holds "):
        await busy(reader, hostile)
    (before,) = workers()
    assert before.rlimit(psutil.RLIMIT_AS)[0] == _MOST_MB << 20
    assert await busy(reader, HOUR) == BUSY
    assert workers() == [before], "nothing has cost it its life"


@pytest.mark.parametrize(
    "odd",
    [
        HOUR.replace(b"UID:a\r\n", b"UID:a\r\nX-A:" + b"a\r\n " * 500_000 + b"\r\n"),
        HOUR.replace(b"UID:a\r\n", b"UID:a\r\n" + b"X-A;B=C:d\r\n" * 1000),
        zoned("RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU"),
    ],
    ids=["folded", "X-properties", "zone"],
)
async def test_an_odd_calendar_is_read(reader: Reader, odd: bytes) -> None:
    assert await busy(reader, odd) == BUSY


async def test_no_zone_outlives_the_calendar_that_defines_it(reader: Reader) -> None:
    assert await busy(reader, zoned()) == BUSY
    with pytest.raises(CalendarError, match="time zone that is not known"):
        await busy(reader, text("DTSTART;TZID=Here:20261020T100000", "DURATION:PT1H"))


async def test_what_takes_too_long_is_killed_and_replaced_while_the_loop_goes_on() -> None:
    endless = HOUR.replace(b"UID:a\r\n", b"UID:a\r\n" + b"X-A;B=C:d\r\n" * 350_000)
    async with aclosing(Reader(patience_s=3.0)) as reader:
        assert await busy(reader, HOUR) == BUSY
        (before,) = workers()
        reading = asyncio.create_task(busy(reader, endless))
        turns = 0
        while not reading.done():
            turns += 1
            await asyncio.sleep(0.02)
        with pytest.raises(CalendarError, match="too long, or too much memory"):
            await reading
        assert turns > 10
        assert not before.is_running()
        assert await busy(reader, HOUR) == BUSY
    assert not workers()


@pytest.mark.parametrize("asleep", [True, False], ids=["idle", "at work"])
async def test_a_process_that_is_killed_is_replaced(reader: Reader, asleep: bool) -> None:
    assert await busy(reader, HOUR) == BUSY
    (process,) = workers()
    process.suspend()
    reading = None if asleep else asyncio.create_task(busy(reader, HOUR))
    await asyncio.sleep(0)
    process.kill()
    if reading is not None:
        with pytest.raises(CalendarError, match="too long, or too much memory"):
            await reading
    else:
        async with asyncio.timeout(10):
            while not has_ended(process):
                await asyncio.sleep(0.01)
    assert await busy(reader, HOUR) == BUSY


async def test_who_gives_up_leaves_nothing_half_read(reader: Reader) -> None:
    await busy(reader, HOUR)
    (process,) = workers()
    process.suspend()
    reading = asyncio.create_task(busy(reader, HOUR))
    await asyncio.sleep(0)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert not workers()
    assert await busy(reader, HOUR) == BUSY


async def test_one_hostile_calendar_does_not_hold_up_the_others(reader: Reader) -> None:
    await busy(reader, HOUR)
    (process,) = workers()
    process.suspend()
    held_up = asyncio.create_task(busy(reader, HOUR))
    await asyncio.sleep(0)
    assert await busy(reader, HOUR) == BUSY
    process.resume()
    assert await held_up == BUSY
    assert len(workers()) == 1, "one is kept"


async def test_closing_ends_what_is_being_read() -> None:
    reader = Reader()
    await busy(reader, HOUR)
    workers()[0].suspend()
    reading = asyncio.create_task(busy(reader, HOUR))
    await asyncio.sleep(0)
    await reader.aclose()
    with pytest.raises(CalendarError, match="too long, or too much memory"):
        await reading
    assert not workers()
    with pytest.raises(CalendarError, match="about to stop"):
        await busy(reader, HOUR)


_SERVER = """
import asyncio
from api.calendars.reader import Reader
from tests.api.calendars.test_reader import BERLIN, HOUR, SPAN, busy, workers

async def main():
    reader = Reader(patience_s=2.0)
    await busy(reader, HOUR)
    endless = HOUR.replace(b"UID:a", b"UID:a" + b"\\r\\nX-A;B=C:d" * 350_000)
    reading = asyncio.create_task(busy(reader, endless))
    await asyncio.sleep(0.1)
    print(workers()[0].pid, flush=True)
    await reading

asyncio.run(main())
"""


async def test_no_orphan_is_left_where_the_server_is_killed() -> None:
    """In the midst of a calendar that has no end."""
    server = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _SERVER),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    )
    assert server.stdout is not None
    orphan = psutil.Process(int(await server.stdout.readline()))
    server.send_signal(signal.SIGKILL)
    await server.communicate()
    async with asyncio.timeout(30):
        while orphan.is_running() and orphan.status() != psutil.STATUS_ZOMBIE:
            await asyncio.sleep(0.05)


async def test_no_secret_setting_is_in_its_environment(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OFFHOOK_PBX__AMI__SECRET", "canary")
    await busy(reader, HOUR)
    assert "canary" not in workers()[0].environ().values()
