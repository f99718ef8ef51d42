"""The calendar tools of a call, bound by the toolbox, over a real CalDAV server (RV-24)."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from api.messaging.ways import WaysOut
from api.resources.calendar import NewCalendarConnection
from api.resources.call import Call
from api.settings import Settings
from api.store import Store
from api.tools.calendar import MAX_BOOKINGS
from api.tools.toolbox import Toolbox
from tests.api.calendars.radicale import PASSWORD, USER, Radicale
from tests.api.calendars.test_busy import text
from tests.api.calendars.test_caldav import CHECKUP
from tests.api.conftest import SEAL
from tests.api.receiver import receiving
from tests.api.tools.test_http_tool import answers
from tests.api.tools.test_toolbox import called
from tests.voice_loop.scripted import HandSet
from voice_loop.tools import Tool, ToolResult

SETTINGS = Settings.model_validate(
    {"tools": {"allow_http": True, "allowed_networks": ["127.0.0.0/8", "::1"]}}
)
#: Sunday.
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC).timestamp()


@dataclass
class Calls:
    """Makes calls whose agent has a calendar."""

    store: Store
    url: str
    kind: Any = "caldav"
    event_type: Mapping[str, Any] = field(default_factory=CHECKUP.model_dump)
    connection_id: str = ""

    async def new(self, **tool: Any) -> Call:
        if not self.connection_id:
            known = self.kind == "caldav"
            new = NewCalendarConnection(
                name="Desk",
                kind=self.kind,
                url=self.url,
                username=USER if known else None,
                sealed_password=SEAL.seal(PASSWORD) if known else None,
                event_types=[self.event_type],
            )
            self.connection_id = (await self.store.calendars.create(new)).id
        named = {"connection_id": self.connection_id, "event_type_id": self.event_type["id"]}
        return await called(self.store, {"type": "calendar", **named, **tool})

    async def tools(self, box: Toolbox, **tool: Any) -> dict[str, Tool]:
        made = box.tools_for(await self.new(**tool), HandSet())
        return {tool.spec.name: tool for tool in made}


def toolbox(store: Store) -> Toolbox:
    return Toolbox(SETTINGS, store, SEAL, WaysOut(), clock=lambda: NOW)


@pytest.mark.rows("RV-24", "RV-26", "X-OI-7")
async def test_the_agent_finds_a_slot_and_books_it(store: Store, desk: Radicale) -> None:
    await desk.put("DTSTART;TZID=Europe/Berlin:20261123T090000", "DURATION:PT2H")
    async with toolbox(store) as box:
        tools = await Calls(store, desk.url).tools(box)
        found = await tools["find_free_slots"]({"date": "2026-11-23"})
        assert found == ToolResult(
            "Free, 60 minutes each (Europe/Berlin):\n"
            "Monday 2026-11-23: 11:00 = 2026-11-23T11:00:00+01:00"
        )
        wanted = {"start": "2026-11-23T11:00:00+01:00", "name": "Maria Lopez", "note": "Tooth 5"}
        booked = await tools["book_slot"](wanted)
        assert booked == ToolResult("Booked: Monday 2026-11-23, 11:00 (Europe/Berlin).")
        assert await tools["book_slot"](wanted) == booked
        assert (await tools["find_free_slots"]({"date": "2026-11-23"})).output.startswith(
            "Nothing is free on Monday 2026-11-23.\nFree, 60 minutes each (Europe/Berlin):\n"
            "Tuesday 2026-11-24: 09:00 = 2026-11-24T09:00:00+01:00, 10:00 = "
        )
    event = next(one for one in await desk.events() if one["SUMMARY"] != "Private")
    assert event["SUMMARY"] == "Check-up of Maria Lopez"
    assert event["DESCRIPTION"].startswith("Maria Lopez, +12125550100\nTooth 5\nCall ")


@pytest.mark.rows("RV-24")
async def test_of_two_calls_that_book_a_slot_at_once_one_has_it(
    store: Store, desk: Radicale
) -> None:
    wanted = {"start": "2026-11-23T10:00:00", "name": "Maria"}  # the office's own time
    async with toolbox(store) as box, toolbox(store) as other_server:
        calls = Calls(store, desk.url)
        books = [
            (await calls.tools(one))["book_slot"] for one in (box, box, other_server, other_server)
        ]
        results = await asyncio.gather(*(one(wanted) for one in books))
    assert sorted(result.is_error for result in results) == [False, True, True, True]
    refused = [result.output for result in results if result.is_error]
    assert set(refused) == {"Not booked: this time is not free. Look up which times are."}
    assert len(await desk.events()) == 1


async def test_without_a_day_the_next_free_ones_are_told(store: Store, desk: Radicale) -> None:
    await desk.put("DTSTART;VALUE=DATE:20261124")
    long = CHECKUP.model_copy(update={"end": "18:00", "horizon_days": 3}).model_dump()
    async with toolbox(store) as box:
        find = (await Calls(store, desk.url, event_type=long).tools(box))["find_free_slots"]
        lines = (await find({})).output.splitlines()
        assert [line.partition(":")[0] for line in lines[1:]] == [
            "Monday 2026-11-23",
            "Wednesday 2026-11-25",
        ]
        assert lines[1].endswith("11:00 = 2026-11-23T11:00:00+01:00, and 6 later ones")
        (_, evening) = (await find({"part_of_day": "evening", "date": "2026-11-25"})).output.split(
            "\n"
        )
        assert evening == "Wednesday 2026-11-25: 17:00 = 2026-11-25T17:00:00+01:00"
        far = await find({"date": "2027-01-04"})
        assert far.output.startswith("Nothing is free on Monday 2027-01-04.\nFree")
        await desk.put("DTSTART:20261120T000000Z", "DTEND:20261201T000000Z", name="holidays")
        none = await find({})
        assert none == ToolResult("Nothing is free until Wednesday 2026-11-25.")


async def test_a_feed_is_read_and_no_slot_of_it_is_booked(store: Store) -> None:
    weekly = text("DTSTART:20260105T080000Z", "DURATION:PT2H", "RRULE:FREQ=WEEKLY")
    async with receiving(answers(200, weekly, kind="text/calendar")) as receiver:
        calls = Calls(store, receiver.url, "ics")
        async with toolbox(store) as box:
            tools = await calls.tools(box, book=False)
            assert list(tools) == ["find_free_slots"]
            found = await tools["find_free_slots"]({"date": "2026-11-23"})
            assert found.output.splitlines()[1:] == [
                "Monday 2026-11-23: 11:00 = 2026-11-23T11:00:00+01:00"
            ]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"start": "tomorrow", "name": "Maria"}, "start must be a time"),
        ({"start": "2026-11-23T10:00:00"}, "name is missing"),
        ({"start": "2026-11-23T10:00:00", "name": " "}, "name must be a name"),
        ({"start": "2026-11-23T10:00:00", "name": "M", "email": "at home"}, "no mail address"),
        ({"start": "2026-11-23T10:20:00", "name": "M"}, "not free"),
        ({"start": "2026-11-23T23:00:00", "name": "M"}, "not free"),
    ],
)
async def test_what_was_said_books_nothing_but_a_free_slot(
    store: Store, desk: Radicale, arguments: dict[str, Any], reason: str
) -> None:
    async with toolbox(store) as box:
        result = await (await Calls(store, desk.url).tools(box))["book_slot"](arguments)
    assert result.is_error
    assert reason.replace("no mail", "not a mail") in result.output
    assert await desk.events() == []


async def test_nobody_talks_the_agent_into_filling_the_calendar(
    store: Store, desk: Radicale
) -> None:
    starts = [f"2026-11-{day}T{hour:02}:00:00" for day in (23, 24) for hour in (9, 10, 11)]
    async with toolbox(store) as box:
        book = (await Calls(store, desk.url).tools(box))["book_slot"]
        results = [await book({"start": start, "name": "M"}) for start in starts]
    assert [result.is_error for result in results] == [False] * MAX_BOOKINGS + [True]
    assert len(await desk.events()) == MAX_BOOKINGS


async def test_a_name_cannot_add_to_the_event(store: Store, desk: Radicale) -> None:
    """Line breaks would begin another property (RFC 5545 3.1)."""
    name = "Maria\r\nATTENDEE:mailto:all@example.org\n{{call_id}}\x00"
    async with toolbox(store) as box:
        book = (await Calls(store, desk.url).tools(box))["book_slot"]
        result = await book({"start": "2026-11-23T10:00:00", "name": name})
    assert not result.is_error, result.output
    (event,) = await desk.events()
    assert "ATTENDEE" not in event
    assert event["SUMMARY"] == "Check-up of Maria ATTENDEE:mailto:all@example.org {{call_id}}"


async def test_a_calendar_that_fails_is_told_without_its_reason(
    store: Store, desk: Radicale, caplog: pytest.LogCaptureFixture
) -> None:
    calls = Calls(store, desk.url)
    failed = ToolResult("It failed: the calendar cannot be used at the moment.", is_error=True)
    wanted = {"start": "2026-11-23T10:00:00", "name": "Maria"}
    async with toolbox(store) as box:
        tools = await calls.tools(box)
        wrong = {"sealed_password": SEAL.seal("wrong")}
        await store.calendars.change(calls.connection_id, wrong)
        assert await tools["find_free_slots"]({}) == failed
        assert await tools["book_slot"](wanted) == failed
        assert "the password is wrong" in caplog.text
        await store.calendars.change(calls.connection_id, {"event_types": []})
        assert await tools["book_slot"](wanted) == failed
        await store.calendars.delete(calls.connection_id)
        assert await tools["find_free_slots"]({}) == failed
        assert "no longer connected" in caplog.text
    assert PASSWORD not in caplog.text


async def test_the_end_of_the_call_does_not_leave_a_booking_half_done(
    store: Store, desk: Radicale
) -> None:
    async with toolbox(store) as box:
        book = (await Calls(store, desk.url).tools(box))["book_slot"]
        arguments = {"start": "2026-11-23T10:00:00", "name": "Maria"}
        booking = asyncio.ensure_future(book(arguments))
        await asyncio.sleep(0)
        booking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await booking
        async with asyncio.timeout(20):
            while not await desk.events():
                await asyncio.sleep(0.01)
        assert (await book(arguments)).output.startswith("Booked")
    assert len(await desk.events()) == 1
