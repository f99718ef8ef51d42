"""What a conversation is told: by its media tick, by the work beside it, and from outside."""

from dataclasses import dataclass

from voice_loop.clauses import ToolCall
from voice_loop.events import EndReason
from voice_loop.floor import FloorEvent
from voice_loop.playout import Speech
from voice_loop.ports import EngineError
from voice_loop.reply import Reply
from voice_loop.speech_input import Keys
from voice_loop.tools import ToolResult
from voice_loop.voicemail import VoicemailTone


@dataclass(frozen=True)
class SpeechOver:
    """The last frame of it has left."""

    speech: Speech


@dataclass(frozen=True)
class Transcribed:
    """What the person said is known."""

    reply: Reply


@dataclass(frozen=True)
class Failed:
    """An engine failed."""

    error: EngineError
    speech: Speech
    """What cannot be said because of it."""


@dataclass(frozen=True)
class OpeningDue:
    """The person had their time to say hello."""


@dataclass(frozen=True)
class TimeUp:
    """The longest conversation is nearly over, or over."""

    final: bool


@dataclass
class Using:
    """A tool that is being used."""

    call: ToolCall
    reply: Reply
    """Which asked for it."""
    started_ms: int
    result: ToolResult | None = None


@dataclass(frozen=True)
class ToolDone:
    """A tool gave its result."""

    using: Using


@dataclass(frozen=True)
class ToolSlow:
    """A tool takes so long that the person should hear of it."""


@dataclass(frozen=True)
class Told:
    """Somebody outside told the agent something."""

    note: str


@dataclass(frozen=True)
class Over:
    """Somebody outside ended it."""

    reason: EndReason


Signal = (
    FloorEvent
    | Keys
    | VoicemailTone
    | SpeechOver
    | Transcribed
    | Failed
    | OpeningDue
    | TimeUp
    | ToolDone
    | ToolSlow
    | Told
    | Over
)
