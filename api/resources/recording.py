"""Recordings: what of a call is recorded and why not, links to them, and their erasure."""

from dataclasses import asdict, dataclass, replace
from typing import Literal

from pydantic import BaseModel, Field

from api.base.json_object import JsonObject
from api.base.times import Timestamp
from api.resources.answer import Resource

Pauser = Literal["api", "agent"]
Objecting = Literal["words", "key"]
RecordingStatus = Literal["announcing", "recording", "paused", "objected", "ended"]


@dataclass(frozen=True)
class Announcement:
    """What the person is told before anything is recorded."""

    text: str
    said_at: float | None = None
    """When they had heard it to its end, Unix seconds."""


@dataclass(frozen=True)
class Objection:
    """The person did not want to be recorded."""

    at: float
    by: Objecting
    words: str
    """The ones that told, or the key."""


@dataclass(frozen=True)
class Pause:
    """A time of which nothing is recorded; Unix seconds."""

    started_at: float
    by: Pauser
    ended_at: float | None = None


@dataclass(frozen=True)
class RecordingFacts:
    """How an attempt is recorded; kept with it."""

    announcement: Announcement | None = None
    """None: the person is told nothing."""
    objection: Objection | None = None
    pauses: tuple[Pause, ...] = ()
    ended_at: float | None = None
    """When there was nothing more to record, Unix seconds."""

    @property
    def awaits_announcement(self) -> bool:
        return self.announcement is not None and self.announcement.said_at is None

    @property
    def paused(self) -> bool:
        return bool(self.pauses) and self.pauses[-1].ended_at is None

    @property
    def over(self) -> bool:
        """Whether nothing is recorded any more."""
        return self.objection is not None or self.ended_at is not None

    @property
    def status(self) -> RecordingStatus:
        if self.over:
            return "ended" if self.objection is None else "objected"
        if self.awaits_announcement:
            return "announcing"
        return "paused" if self.paused else "recording"

    def unpaused(self, at: float) -> "RecordingFacts":
        """The same, but with no pause any more."""
        if not self.paused:
            return self
        *before, last = self.pauses
        return replace(self, pauses=(*before, replace(last, ended_at=at)))

    def ended(self, at: float) -> "RecordingFacts":
        """The same, once the call is over; of what is over already, itself."""
        return self if self.over else replace(self.unpaused(at), ended_at=at)

    def json(self) -> JsonObject:
        """As it is stored."""
        return asdict(self)


def recording_facts(stored: JsonObject | None) -> RecordingFacts | None:
    """What `RecordingFacts.json` wrote."""
    if stored is None:
        return None
    announcement, objection = stored["announcement"], stored["objection"]
    return RecordingFacts(
        None if announcement is None else Announcement(**announcement),
        None if objection is None else Objection(**objection),
        tuple(Pause(**pause) for pause in stored["pauses"]),
        stored["ended_at"],
    )


@dataclass(frozen=True)
class RecordingWish:
    """Whether the recording is to pause; asked for over the API."""

    paused: bool
    at: float
    """Unix seconds; a later one counts."""

    def json(self) -> JsonObject:
        """As it is stored."""
        return asdict(self)


class AnnouncementObject(Resource):
    """What the person was told before the recording."""

    text: str = Field(examples=["This call is recorded."])
    said_at: Timestamp | None = Field(
        description="When they had heard it to its end; the recording is silent until then. Null: "
        "not yet, or never: nothing was recorded."
    )


class ObjectionObject(Resource):
    """The person did not want to be recorded."""

    at: Timestamp
    by: Objecting = Field(description="`words`: they said so. `key`: `recordings.objection_key`.")
    words: str = Field(
        examples=["don't record"], description="The words by which that was known, or the key."
    )


class PauseObject(Resource):
    """A time of which the recording has silence."""

    started_at: Timestamp
    ended_at: Timestamp | None
    by: Pauser = Field(description="Who began it.")


class RecordingObject(Resource):
    """How a call is recorded, and what the person said to that."""

    status: RecordingStatus = Field(
        description="`announcing`: the person is being told; nothing is recorded yet. `objected`: "
        "they did not want it, and what there was is deleted.",
    )
    announcement: AnnouncementObject | None = Field(description="Null: none is made.")
    objection: ObjectionObject | None
    pauses: list[PauseObject]


class RecordingLink(BaseModel):
    """A link to a recording that needs no key."""

    url: str = Field(
        examples=[
            "https://calls.example.org/recordings/6f1c2d3e-4b5a-4c6d-8e7f-901234567890/1"
            "?expires=1803888000&signature=5f0c"
        ]
    )
    expires_at: Timestamp


class Erasing(BaseModel):
    """A call that is erased but for files of it."""

    id: str = Field(examples=["6f1c2d3e-4b5a-4c6d-8e7f-901234567890"])
    nodes: list[str] = Field(
        description="Have yet to delete what they have of it: they are down, or cannot; then their "
        "log tells why. They go on by themselves.",
        examples=[["pbx-north-5d1c0a3e"]],
    )
