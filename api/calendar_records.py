"""Calendar connections as the store takes and gives them. Times are Unix seconds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from api.records import JsonObject

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
    """Each an `api.calendar_objects.EventType`."""


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
