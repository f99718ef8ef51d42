"""Calendar connections."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, Field

from api.base.fields import Body, Change
from api.base.json_object import JsonObject
from api.base.text import BUILT_IN, MASK, is_broken, variables_in
from api.base.times import Timestamp
from api.policy.retry import WEEKDAYS, Weekday
from api.policy.zones import zone
from api.resources.answer import Resource

CalendarKind = Literal["caldav", "ics"]


@dataclass(frozen=True)
class NewCalendarConnection:
    """A connection as it comes in, already checked."""

    name: str
    kind: CalendarKind
    url: str
    username: str | None
    sealed_password: str | None
    event_types: Sequence[JsonObject]
    """Each an `api.resources.calendar.EventType`."""


@dataclass(frozen=True, kw_only=True)
class CalendarConnection(NewCalendarConnection):
    """A stored connection."""

    id: str
    created_at: float
    updated_at: float

    @property
    def bookable(self) -> bool:
        """Whether it can be written to at all."""
        return self.kind == "caldav"

    @property
    def password(self) -> str | None:
        """As it is shown: masked."""
        return None if self.sealed_password is None else MASK


#: What the texts of a booking may name.
BOOKING_VARIABLES: Final = BUILT_IN | {"event_type", "name", "email", "note"}

_CLOCK: Final = r"^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$"
_ID: Final = "6f1c2d3e-4b5a-4c6d-8e7f-901234567890"
_NAMED: Final = "May name " + ", ".join(f"`{{{{{one}}}}}`" for one in sorted(BOOKING_VARIABLES))


def _known_zone(name: str) -> str:
    zone(name)  # it raises what pydantic tells
    return name


def _template(text: str) -> str:
    for name in variables_in(text):
        if name not in BOOKING_VARIABLES:
            known = ", ".join(f"{{{{{one}}}}}" for one in sorted(BOOKING_VARIABLES))
            raise ValueError(f"there is no {{{{{name}}}}} here; there are {known}")
    if is_broken(text):
        raise ValueError("holds `{{` that begins no `{{variable}}`")
    return text


Template = Annotated[str, AfterValidator(_template)]


class EventType(Body):
    """Something that can be booked, and when."""

    id: str = Field(
        min_length=1,
        max_length=200,
        description="What agents' tools name it by: any text, as the URL of an event type "
        "elsewhere.",
        examples=["checkup"],
    )
    name: str = Field(min_length=1, max_length=200, examples=["Dental check-up"])
    duration_minutes: int = Field(ge=5, le=1440, examples=[30])
    buffer_minutes: int = Field(
        default=0, ge=0, le=720, description="What stays free before and after."
    )
    days: list[Weekday] = Field(
        default=list(WEEKDAYS[:5]), min_length=1, max_length=7, description="On which it is open."
    )
    start: str = Field(default="09:00", pattern=_CLOCK, description="When the first slot begins.")
    end: str = Field(default="17:00", pattern=_CLOCK, description="When the last slot is over.")
    timezone: Annotated[str, AfterValidator(_known_zone)] = Field(
        description="IANA name of the zone of `start` and `end`; slots are told in it.",
        examples=["Europe/Berlin"],
    )
    horizon_days: int = Field(
        default=30, ge=0, le=365, description="Days after today that are open for bookings."
    )
    title: Template = Field(
        default="{{event_type}}: {{name}}",
        min_length=1,
        max_length=500,
        description=f"Of the booked event. {_NAMED}.",
    )
    description: Template = Field(
        default="{{name}}, {{user_phone_number}}\n{{email}}\n{{note}}\nCall {{call_id}}",
        max_length=4_000,
        description=f"Of the booked event. {_NAMED}.",
    )
    location: str | None = Field(
        default=None, max_length=500, description="Of the booked event.", examples=["1 Main Street"]
    )


Name = Annotated[
    str,
    Field(
        min_length=1,
        max_length=200,
        description="Yours.",
        examples=["Front desk"],
    ),
]
Url = Annotated[
    str,
    Field(
        min_length=1,
        max_length=2_048,
        description="`caldav`: of the calendar collection itself. `ics`: of the feed. It must be "
        "allowed by `tools.allow_http`, `tools.allowed_hosts` and `tools.allowed_networks`.",
        examples=["https://dav.example.org/calendars/frontdesk/appointments/"],
    ),
]
Username = Annotated[
    str,
    Field(
        min_length=1,
        max_length=256,
        pattern="^[^:]*$",
        description="For HTTP Basic (RFC 7617).",
        examples=["offhook"],
    ),
]
Password = Annotated[
    str,
    Field(
        min_length=1,
        max_length=1_024,
        description=f"Sealed when stored, and told as `{MASK}`; that sent back, it stays.",
        examples=["app-password-7d1f"],
    ),
]
EventTypes = Annotated[
    list[EventType],
    Field(
        min_length=1,
        max_length=50,
        description="What can be booked.",
    ),
]


class _ConnectionFields(Body):
    free_text = frozenset({"description"})

    name: Name
    url: Url
    username: Username | None = None
    password: Password | None = None
    event_types: EventTypes


class CreateCalendarConnection(_ConnectionFields):
    """A calendar to connect."""

    kind: CalendarKind = Field(
        description="`caldav`: slots are found and booked. `ics`: a feed, which can only be read: "
        "slots are found."
    )


class ChangeCalendarConnection(_ConnectionFields, Change):
    """What to change; the rest stays. A URL on another server needs the password again."""

    name: Name = ""
    url: Url = ""
    event_types: EventTypes = Field(default=[])


class CalendarConnectionObject(Resource):
    """A connected calendar."""

    id: str = Field(json_schema_extra={"format": "uuid"}, examples=[_ID])
    name: str = Field(examples=["Front desk"])
    kind: CalendarKind
    url: str = Field(examples=["https://dav.example.org/calendars/frontdesk/appointments/"])
    username: str | None = Field(examples=["offhook"])
    password: str | None = Field(description="Masked.", examples=[MASK])
    bookable: bool = Field(description="Whether agents can book in it.", examples=[True])
    event_types: list[EventType]
    created_at: Timestamp
    updated_at: Timestamp


class CalendarCheckObject(BaseModel):
    """What a calendar said when it was asked."""

    ok: bool
    detail: str = Field(examples=["12 busy times in the next 30 days"])
