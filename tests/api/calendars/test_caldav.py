"""The CalDAV client against a real server, and against servers that do not behave."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
import trustme

from api.calendars.booking import Booking, book
from api.calendars.caldav import CalDav
from api.calendars.errors import CalendarError, SlotTakenError
from api.calendars.interval import Interval
from api.calendars.opening import CalendarAccess
from api.calendars.slots import free_slots, open_days, rules_of, span_of
from api.egress.guarded_http import tools_client
from api.resources.calendar import CalendarConnection, EventType
from api.settings import Tools
from tests.api.calendars.radicale import (
    PASSWORD,
    READER,
    READER_PASSWORD,
    USER,
    Radicale,
    radicale,
)
from tests.api.conftest import SEAL
from tests.api.receiver import Receiver, receiving, status
from tests.api.tools.test_http_tool import answers
from tests.voice_loop.scripted import settle

LOOPBACK = Tools.model_validate({"allow_http": True, "allowed_networks": ["127.0.0.0/8", "::1"]})
MONDAY = date(2026, 11, 23)
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
CHECKUP = EventType(
    id="checkup",
    name="Check-up",
    duration_minutes=60,
    end="12:00",
    timezone="Europe/Berlin",
    title="{{event_type}} of {{name}}",
)
FACTS = {"name": "Maria Lopez", "user_phone_number": "+15551234567", "email": "", "note": ""}


def connection(url: str, user: str = USER, password: str = PASSWORD) -> CalendarConnection:
    return CalendarConnection(
        name="Desk",
        kind="caldav",
        url=url,
        username=user,
        sealed_password=SEAL.seal(password),
        event_types=[CHECKUP.model_dump()],
        id="c",
        created_at=0,
        updated_at=0,
    )


@dataclass
class Door:
    """Opens calendars as tools do."""

    access: CalendarAccess

    def to(self, url: str, user: str = USER, password: str = PASSWORD) -> CalDav:
        opened = self.access.open(connection(url, user, password))
        assert isinstance(opened, CalDav)
        return opened


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    async with (
        tools_client(LOOPBACK, 4) as client,
        aclosing(CalendarAccess(client, SEAL)) as access,
    ):
        yield Door(access)


def booking(hour: int, call_id: str = "call-1") -> Booking:
    rules = rules_of(CHECKUP)
    start = datetime(2026, 11, 23, hour, tzinfo=rules.zone)
    return Booking(CHECKUP, start, call_id, FACTS | {"event_type": "Check-up", "call_id": call_id})


async def free(calendar: CalDav) -> list[str]:
    rules = rules_of(CHECKUP)
    busy = await calendar.busy(span_of(rules, MONDAY, MONDAY), rules.zone)
    return [f"{slot:%H:%M}" for slot in free_slots(rules, busy, NOW, MONDAY, MONDAY)]


@pytest.mark.rows("RV-25")
async def test_busy_times_are_read_repeated_ones_too(desk: Radicale, door: Door) -> None:
    calendar = door.to(desk.url)
    await calendar.check()
    assert await free(calendar) == ["09:00", "10:00", "11:00"]
    weekly = "DTSTART;TZID=Europe/Berlin:20260105T100000", "DURATION:PT1H", "RRULE:FREQ=WEEKLY"
    await desk.put(*weekly, name="weekly")
    assert await free(calendar) == ["09:00", "11:00"]
    await desk.put("DTSTART;VALUE=DATE:20261123", "TRANSP:TRANSPARENT", name="birthday")
    assert await free(calendar) == ["09:00", "11:00"]
    await desk.put("DTSTART;VALUE=DATE:20261123", name="holiday")
    assert await free(calendar) == []


@pytest.mark.rows("RV-24", "X-OI-7")
async def test_a_booked_slot_is_an_event_there(desk: Radicale, door: Door) -> None:
    calendar = door.to(desk.url)
    await book(calendar, booking(10), NOW)
    assert await free(calendar) == ["09:00", "11:00"]
    (event,) = await desk.events()
    assert event["SUMMARY"] == "Check-up of Maria Lopez"
    assert event["DESCRIPTION"] == "Maria Lopez, +15551234567\nCall call-1"
    assert event.decoded("DTSTART") == datetime(2026, 11, 23, 9, tzinfo=UTC)
    assert event.decoded("DTEND") == datetime(2026, 11, 23, 10, tzinfo=UTC)
    assert "ATTENDEE" not in event
    with pytest.raises(SlotTakenError):
        await book(calendar, booking(10, "call-2"), NOW)
    assert len(await desk.events()) == 1


async def test_what_a_call_has_booked_it_has(desk: Radicale, door: Door) -> None:
    """A booking whose answer was lost is asked for again."""
    calendar = door.to(desk.url)
    await book(calendar, booking(10), NOW)
    await book(calendar, booking(10), NOW)
    assert len(await desk.events()) == 1


@pytest.mark.parametrize(
    "start",
    [
        datetime(2026, 11, 23, 9, 15, tzinfo=rules_of(CHECKUP).zone),
        datetime(2026, 11, 23, 13, tzinfo=rules_of(CHECKUP).zone),
        datetime(2026, 11, 21, 9, tzinfo=rules_of(CHECKUP).zone),
        datetime(2026, 11, 28, 9, tzinfo=rules_of(CHECKUP).zone),
        datetime(2027, 11, 22, 9, tzinfo=rules_of(CHECKUP).zone),
    ],
)
async def test_only_slots_can_be_booked(desk: Radicale, door: Door, start: datetime) -> None:
    with pytest.raises(SlotTakenError):
        await book(door.to(desk.url), replace(booking(9), start=start), NOW)
    assert await desk.events() == []


@pytest.mark.rows("RV-24")
async def test_of_many_who_book_a_slot_at_one_time_one_has_it(desk: Radicale, door: Door) -> None:
    """Without a lock between them, as on several servers."""
    calls = [book(door.to(desk.url), booking(10, f"call-{n}"), NOW) for n in range(6)]
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(one) for one in results if one is not None] == [SlotTakenError] * 5
    (event,) = await desk.events()
    assert event["X-OFFHOOK-CALL"] == f"call-{results.index(None)}"


async def test_a_booking_that_the_office_moved_leaves_its_slot_free(
    desk: Radicale, door: Door
) -> None:
    calendar = door.to(desk.url)
    await book(calendar, booking(9), NOW)
    (event,) = await desk.events()
    event.DTSTART, event.DTEND = (datetime(2026, 11, 24, hour, tzinfo=UTC) for hour in (9, 10))
    text = b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\n" + event.to_ical() + b"END:VCALENDAR"
    moved = await desk.client.put(f"{desk.url}{event['UID']}.ics", content=text)
    moved.raise_for_status()
    await book(calendar, booking(9, "call-2"), NOW)
    await book(calendar, booking(9, "call-2"), NOW)
    assert len(await desk.events()) == 2
    assert await free(calendar) == ["10:00", "11:00"]


@pytest.mark.parametrize(
    ("login", "path", "reason"),
    [
        ((USER, "wrong"), "offhook/desk/", "the password is wrong"),
        ((USER, PASSWORD), "offhook/none/", "nothing at its URL"),
        ((USER, PASSWORD), "offhook/", "not that of a calendar"),
        ((READER, READER_PASSWORD), "offhook/desk/", "may not write"),
    ],
)
async def test_a_check_tells_what_is_wrong(
    desk: Radicale, door: Door, login: tuple[str, str], path: str, reason: str
) -> None:
    with pytest.raises(CalendarError, match=reason):
        await door.to(f"{desk.base}/{path}", *login).check()


async def test_a_reader_does_not_book(desk: Radicale, door: Door) -> None:
    with pytest.raises(CalendarError, match="does not allow"):
        await book(door.to(desk.url, READER, READER_PASSWORD), booking(9), NOW)
    assert await desk.events() == []


def span() -> Interval:
    rules = rules_of(CHECKUP)
    return span_of(rules, *open_days(rules, NOW))


async def told(door: Door, receiver: Receiver) -> str:
    """What is told of a server that does not behave."""
    calendar = door.to(f"http://127.0.0.1:{receiver.port}/desk/")
    with pytest.raises(CalendarError) as error:
        await calendar.busy(span(), rules_of(CHECKUP).zone)
    assert PASSWORD not in str(error.value)
    return str(error.value)


BOMB = '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "b"><!ENTITY c "&a;&a;">]><x>&c;</x>'
PARTIAL = (
    '<multistatus xmlns="DAV:"><response><href>/desk/</href>'
    "<status>HTTP/1.1 507 Insufficient Storage</status></response></multistatus>"
)


@pytest.mark.parametrize(
    ("code", "body", "reason"),
    [
        (207, BOMB, "is no XML"),
        (207, "not XML", "is no XML"),
        (207, PARTIAL, "not give all"),
        (200, "<html/>", "HTTP 200"),
        (500, "", "HTTP 500"),
        (207, "x" * (4096 * 1024 + 1), "more than 4096 KiB"),
    ],
)
async def test_a_wrong_answer_is_told(door: Door, code: int, body: str, reason: str) -> None:
    async with receiving(answers(code, body)) as receiver:
        assert reason in await told(door, receiver)


async def test_what_a_server_says_of_a_calendar_is_short(door: Door) -> None:
    """It is read by the server itself, and not by a process that may be killed."""
    async with receiving(answers(207, "x" * (256 * 1024 + 1))) as receiver:
        with pytest.raises(CalendarError, match="more than 256 KiB"):
            await door.to(f"http://127.0.0.1:{receiver.port}/desk/").check()


async def test_no_redirect_is_followed(door: Door) -> None:
    async with receiving(status(301, "Location: https://evil.example/")) as receiver:
        assert "redirects to https://evil.example/" in await told(door, receiver)
        assert len(receiver.got) == 1


async def test_a_server_that_hangs_is_given_up_and_one_that_is_down_is_told() -> None:
    over = asyncio.Event()

    async def hangs(*_: object) -> None:
        await over.wait()

    async with tools_client(LOOPBACK, 4) as client:
        access = CalendarAccess(client, SEAL, timeout_s=0.05)
        async with receiving(hangs) as receiver:
            assert "no answer within 0.05 s" in await told(Door(access), receiver)
            over.set()
            await settle()
        async with receiving() as receiver:
            pass
        async with aclosing(CalendarAccess(client, SEAL)) as access:
            assert "cannot be reached" in await told(Door(access), receiver)


async def test_where_tools_may_not_go_calendars_may_not_be() -> None:
    async with tools_client(Tools(allow_http=True), 4) as client, receiving() as receiver:
        async with aclosing(CalendarAccess(client, SEAL)) as access:
            detail = await told(Door(access), receiver)
        assert "was not sent: address 127.0.0.1 is refused" in detail
        assert receiver.got == []


async def test_over_tls_the_certificate_is_checked(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    pem = tmp_path / "server.pem"
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(pem))
    (tmp_path / "data").mkdir()
    settings = {"allowed_networks": ["127.0.0.0/8", "::1"]}
    trusting = Tools.model_validate(settings | {"ca_file": tmp_path / "ca.pem"})
    async with radicale(tmp_path / "data", pem) as server:
        await server.make()
        async with (
            tools_client(trusting, 4) as client,
            aclosing(CalendarAccess(client, SEAL)) as access,
        ):
            calendar = Door(access).to(server.url)
            await book(calendar, booking(9), NOW)
            assert await free(calendar) == ["10:00", "11:00"]
        async with (
            tools_client(Tools.model_validate(settings), 4) as client,
            aclosing(CalendarAccess(client, SEAL)) as access,
        ):
            calendar = Door(access).to(server.url)
            with pytest.raises(CalendarError, match="not trusted"):
                await calendar.check()


def test_a_file_without_certificates_is_told_with_the_settings(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no certificates can be read"):
        Tools(ca_file=tmp_path / "none.pem")
