"""What a conversation's director is told: events, and how things stand on the line meanwhile."""

from dataclasses import dataclass

from voice_loop.answering.watch import AnswerEvent, Who
from voice_loop.events import EndReason
from voice_loop.floor import FloorEvent
from voice_loop.playout import Speech
from voice_loop.ports import EngineError, Transcript
from voice_loop.speech_input import Keys
from voice_loop.tools import ToolResult


@dataclass(frozen=True)
class Moment:
    """How things stand on the line when an event is decided on."""

    at: float = 0.0
    """`time.monotonic()` seconds."""
    frame: int = -1
    """Index of the latest frame since the answer."""
    person_speaks: bool = False
    """Between the start and the end of the person's turn, pauses included."""
    talking: bool = False
    """Within a turn and not in a pause."""
    onset_frame: int = 0
    """Where the latest turn began."""
    voiced_at: float = 0.0
    """Arrival of the latest packet with speech in it, `time.monotonic()` seconds."""
    spoken_ms: tuple[int, int] = (0, 0)
    """When the speech that has the floor began, and when its latest frame ended."""
    held: bool = False
    """The speech that has the floor is stopped."""
    away_frame: int = -1
    """Index of the latest frame in which somebody else had the line."""


@dataclass(frozen=True)
class SpeechOver:
    """The last frame of a speech has left."""

    speech: Speech


@dataclass(frozen=True)
class SpeechHeard:
    """A speech has been heard for a while: who speaks now speaks after it, or into it."""

    speech: Speech


@dataclass(frozen=True)
class Transcribed:
    """What the person said is known."""

    speech: Speech
    """What is to answer it."""
    transcript: Transcript


@dataclass(frozen=True)
class Failed:
    """An engine failed."""

    error: EngineError
    speech: Speech
    """What cannot be said because of it."""


@dataclass(frozen=True)
class DeadlineReached:
    """The director's next deadline is there, or was."""


@dataclass(frozen=True)
class TimeUpRendered:
    """The last words of the longest conversation are ready."""

    length_ms: int


@dataclass(frozen=True)
class ToolDone:
    """The tool at work gave its result."""

    result: ToolResult


@dataclass(frozen=True)
class WhoJudged:
    """The language model has judged who answered."""

    who: Who


@dataclass(frozen=True)
class Told:
    """Somebody outside told the agent something."""

    note: str


@dataclass(frozen=True)
class Whispered:
    """Somebody outside told the agent something for its answers to come: it says nothing now."""

    note: str


@dataclass(frozen=True)
class SayNow:
    """Somebody outside wants these words spoken, in place of whatever the agent says."""

    text: str


@dataclass(frozen=True)
class HoldChanged:
    """The person has put the agent on hold, or taken it off."""

    held: bool


@dataclass(frozen=True)
class Over:
    """Somebody outside ended the conversation."""

    reason: EndReason


Signal = (
    FloorEvent
    | Keys
    | AnswerEvent
    | SpeechOver
    | SpeechHeard
    | Transcribed
    | Failed
    | DeadlineReached
    | TimeUpRendered
    | ToolDone
    | WhoJudged
    | Told
    | Whispered
    | SayNow
    | HoldChanged
    | Over
)
