"""The calendar tools: free slots are told, and one of them is booked.

What can be booked is the configuration's choice; what is said chooses among free slots.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import Any, Final

from api.base.mail_addresses import is_email
from api.base.refusals import NotFound
from api.base.text import Variables
from api.calendars.booking import Booking, book
from api.calendars.caldav import CalDav
from api.calendars.errors import CalendarError, SlotTakenError
from api.calendars.opening import CalendarAccess
from api.calendars.slots import Rules, free_slots, open_days, rules_of, span_of
from api.resources.calendar import CalendarConnection, EventType
from api.resources.tool_fields import CalendarTool, Input
from api.store import Store, StoreError
from api.tools.inputs import InputError, parameters, read_inputs
from voice_loop.tools import ToolResult, ToolSpec

#: In one attempt, whatever the person talks the agent into.
MAX_BOOKINGS: Final = 5
#: Seconds for all that a booking takes, waiting for others' included.
_BOOKING_S: Final = 45.0
#: Slots that are told of the day that was asked for, and of each one otherwise.
_OF_ONE_DAY: Final = 6
_OF_A_DAY: Final = 3
_DAYS: Final = 3
#: Characters of a note.
_MAX_NOTE: Final = 1_000
#: First hour, and the first that is past it.
_PARTS: Final = {"morning": (0, 12), "afternoon": (12, 17), "evening": (17, 24)}

_SEARCH: Final = (
    Input(
        name="date",
        type="date",
        required=False,
        description="The day asked for; without it, the next free ones.",
    ),
    Input(name="part_of_day", type="enum", required=False, enum_options=list(_PARTS)),
)
_BOOKING: Final = (
    Input(name="start", type="datetime", description="Start of a slot that is free."),
    Input(name="name", type="string", description="Name of whom it is for."),
    Input(name="email", type="string", required=False, description="Their mail address."),
    Input(name="note", type="string", required=False, description="What the office should know."),
)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class CalendarOfCall:
    """A tool's calendar, for one call."""

    tool: CalendarTool
    call_id: str
    values: Mapping[str, Any]
    """The call's facts."""
    now: Callable[[], datetime]
    store: Store
    access: CalendarAccess

    async def look_up(self) -> tuple[CalendarConnection, EventType]:
        """What it is connected to, now. Raises CalendarError."""
        try:
            connection = await self.store.calendars.get(self.tool.connection_id)
        except NotFound as error:
            raise CalendarError("it is no longer connected") from error
        except StoreError as error:
            raise CalendarError("our own store cannot be read") from error
        for one in connection.event_types:
            if one["id"] == self.tool.event_type_id:
                return connection, EventType.model_validate(one)
        raise CalendarError("this kind of appointment is no longer offered")

    def failed(self, reason: CalendarError) -> ToolResult:
        """The result of what the calendar prevented."""
        log.warning("call %s: calendar %s: %s", self.call_id, self.tool.connection_id, reason)
        return ToolResult("It failed: the calendar cannot be used at the moment.", is_error=True)


class FindFreeSlots:
    """`find_free_slots`."""

    say: str | None = None

    def __init__(self, calendar: CalendarOfCall) -> None:
        self._calendar = calendar

    @property
    def spec(self) -> ToolSpec:
        description = "Look up which times are free for an appointment."
        return ToolSpec("find_free_slots", description, parameters(_SEARCH, self._calendar.now()))

    async def __call__(self, arguments: Mapping[str, Any]) -> ToolResult:
        calendar = self._calendar
        try:
            connection, kind = await calendar.look_up()
            rules = rules_of(kind)
            now = calendar.now().astimezone(rules.zone)
            asked = read_inputs(_SEARCH, arguments, now)
            today, last = open_days(rules, now)
            opened = calendar.access.open(connection)
            busy = await opened.busy(span_of(rules, today, last), rules.zone)
        except InputError as error:
            return ToolResult(f"It failed: {error}.", is_error=True)
        except CalendarError as error:
            return calendar.failed(error)
        slots = list(free_slots(rules, busy, now, today, last))
        if asked["part_of_day"] is not None:
            first_hour, end_hour = _PARTS[asked["part_of_day"]]
            slots = [slot for slot in slots if first_hour <= slot.hour < end_hour]
        wanted = None if asked["date"] is None else date.fromisoformat(asked["date"])
        return ToolResult(_told(slots, rules, wanted, last))


class BookSlot:
    """`book_slot`."""

    say: str | None = None

    def __init__(self, calendar: CalendarOfCall) -> None:
        self._calendar = calendar
        self._booked = 0

    @property
    def spec(self) -> ToolSpec:
        description = "Book one of the free times, once the person has agreed to it."
        return ToolSpec("book_slot", description, parameters(_BOOKING, self._calendar.now()))

    async def __call__(self, arguments: Mapping[str, Any]) -> ToolResult:
        if self._booked >= MAX_BOOKINGS:
            return ToolResult(f"Not booked: {MAX_BOOKINGS} are enough for one call.", is_error=True)
        # Given up half-way, nobody would know whether it is booked.
        return await asyncio.shield(asyncio.create_task(self._book(arguments)))

    async def _book(self, arguments: Mapping[str, Any]) -> ToolResult:
        calendar = self._calendar
        try:
            connection, kind = await calendar.look_up()
            now = calendar.now().astimezone(rules_of(kind).zone)
            asked = _checked(read_inputs(_BOOKING, arguments, now))
            start = datetime.fromisoformat(asked["start"]).astimezone(rules_of(kind).zone)
            opened = calendar.access.open(connection)
            if not isinstance(opened, CalDav):
                raise CalendarError("it is a feed, which cannot be booked in")
            values = Variables(calendar.values, {**asked, "event_type": kind.name})
            async with asyncio.timeout(_BOOKING_S), calendar.access.lock(connection):
                await book(opened, Booking(kind, start, calendar.call_id, values), now)
        except InputError as error:
            return ToolResult(f"Not booked: {error}.", is_error=True)
        except SlotTakenError:
            detail = "Not booked: this time is not free. Look up which times are."
            return ToolResult(detail, is_error=True)
        except CalendarError as error:
            return calendar.failed(error)
        except TimeoutError:
            return calendar.failed(CalendarError(f"not booked within {_BOOKING_S:g} s"))
        self._booked += 1
        zone = rules_of(kind).zone.key
        return ToolResult(f"Booked: {_day(start.date())}, {start:%H:%M} ({zone}).")


def _checked(asked: Mapping[str, Any]) -> dict[str, Any]:
    """What is written into the event. Raises InputError."""
    email, note = asked["email"] or "", asked["note"] or ""
    if not asked["name"].strip() or len(asked["name"]) > 200:
        raise InputError("name must be a name")
    if email and not is_email(email):
        raise InputError("email is not a mail address; ask for it again, or leave it out")
    if len(note) > _MAX_NOTE:
        raise InputError(f"note must have {_MAX_NOTE} characters at most")
    return {**asked, "name": asked["name"].strip(), "email": email, "note": note}


def _told(slots: Sequence[datetime], rules: Rules, wanted: date | None, last: date) -> str:
    """Some of the slots, in lines that can be spoken."""
    days = {day: list(group) for day, group in groupby(slots, key=datetime.date)}
    minutes = rules.duration // timedelta(minutes=1)
    intro = f"Free, {minutes} minutes each ({rules.zone.key}):"
    if wanted in days:
        return "\n".join([intro, _line(wanted, days[wanted], _OF_ONE_DAY)])
    nothing = [] if wanted is None else [f"Nothing is free on {_day(wanted)}."]
    if not days:
        return " ".join([*nothing, f"Nothing is free until {_day(last)}."])
    after = sorted(days, key=lambda day: (wanted is not None and day < wanted, day))[:_DAYS]
    return "\n".join([*nothing, intro, *(_line(day, days[day], _OF_A_DAY) for day in after)])


def _line(day: date, slots: Sequence[datetime], most: int) -> str:
    times = ", ".join(f"{slot:%H:%M} = {slot.isoformat()}" for slot in slots[:most])
    more = f", and {len(slots) - most} later ones" if len(slots) > most else ""
    return f"{_day(day)}: {times}{more}"


def _day(day: date) -> str:
    return f"{day:%A} {day.isoformat()}"
