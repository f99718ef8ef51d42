"""What a conversation's director wants done: on the line, by the engines, and outside."""

from dataclasses import dataclass

from voice_loop.clauses import ToolCall
from voice_loop.events import EndReason, Turn
from voice_loop.playout import Speech
from voice_loop.ports import Transcript
from voice_loop.prompts import Message
from voice_loop.stopwatch import Stopwatch


@dataclass(frozen=True)
class Play:
    """Give a speech the floor."""

    speech: Speech
    stopwatch: Stopwatch | None = None
    """Marks its first voiced frame, if it belongs to an answer."""


@dataclass(frozen=True)
class Hold:
    """Stop the speech that has the floor, and keep the rest of it."""


@dataclass(frozen=True)
class Resume:
    """Go on with the speech that is held or lowered."""


@dataclass(frozen=True)
class FallSilent:
    """Take the floor from the speech that has it."""


@dataclass(frozen=True)
class TellTurnDetector:
    """Give the turn detector the words of the turn so far."""

    transcript: Transcript


@dataclass(frozen=True)
class JudgeSound:
    """Find out how a turn sounds that pauses; the turn detector is told, in time or never."""

    last_speech_frame: int


@dataclass(frozen=True)
class AskWho:
    """Ask the language model who says these words; `WhoJudged` tells, in time or never."""

    words: str


@dataclass(frozen=True)
class Transcribe:
    """Find out what the person said in a time; `Transcribed` or `Failed` tells of it."""

    speech: Speech
    """What is to answer it."""
    started_ms: int
    """Since the answer, in audio time."""
    ended_ms: int
    stopwatch: Stopwatch


@dataclass(frozen=True)
class Answer:
    """Let the language model answer, and voice that into a speech."""

    speech: Speech
    messages: tuple[Message, ...]
    use_tools: bool
    """Whether the model may call tools."""
    fallback: str
    """Said when the model finds no words."""
    stopwatch: Stopwatch


@dataclass(frozen=True)
class ReadOut:
    """Voice a fixed line into a speech."""

    speech: Speech
    text: str
    stopwatch: Stopwatch | None = None


@dataclass(frozen=True)
class GiveUp:
    """End the work on a speech, whatever it is, but for a tool."""

    speech: Speech


@dataclass(frozen=True)
class UseTool:
    """Carry out a tool call; `ToolDone` tells of it."""

    call: ToolCall
    speech: Speech
    """What waits for it."""


@dataclass(frozen=True)
class Announced:
    """Tell the outside that the announcement has left, to its end."""


@dataclass(frozen=True)
class Report:
    """Tell the outside of a finished turn."""

    turn: Turn


@dataclass(frozen=True)
class End:
    """End the conversation; nothing follows."""

    reason: EndReason
    after_words: bool
    """Whether last words have just left, and need to reach the far end."""


Command = (
    Play
    | Hold
    | Resume
    | FallSilent
    | TellTurnDetector
    | JudgeSound
    | AskWho
    | Transcribe
    | Answer
    | ReadOut
    | GiveUp
    | UseTool
    | Announced
    | Report
    | End
)
