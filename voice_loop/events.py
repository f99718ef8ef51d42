"""What a conversation tells the outside while it goes on and when it is over."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Speaker = Literal["agent", "person", "tool"]

EndReason = Literal[
    "agent_hangup",  # the agent said goodbye and used its end_call tool
    "person_hangup",
    "silence",
    "max_duration",
    "engine_error",
    "voicemail",  # an answering machine took the call
    "unavailable",  # an announcement, a busy tone or a fax machine took the call
    "ivr_no_navigate",  # a menu led nowhere
    "operator_hangup",  # asked for through the API
    "transferred",  # the person talks to somebody else now
]


@dataclass(frozen=True)
class Timings:
    """Where the time of one agent reply went, in ms after the person's last voiced packet.

    Every mark counts from that packet's arrival at our socket, so `wire_ms` is what the person
    waits, less the network. A mark is None when the reply did not need that step.
    """

    endpoint_ms: float | None = None
    """The turn was judged to be over."""
    transcript_ms: float | None = None
    first_token_ms: float | None = None
    first_audio_ms: float | None = None
    """The voice gave its first samples."""
    wire_ms: float | None = None
    """The first voiced packet left our socket."""


@dataclass(frozen=True)
class ToolUse:
    """A tool that the agent used; the turn's text is its output."""

    name: str
    """Empty where it is not known which one was meant."""
    arguments: Mapping[str, Any] | str
    """What the model wrote, where that is no JSON object; at most `MAX_OUTPUT` characters."""
    is_error: bool


@dataclass(frozen=True)
class Turn:
    """One finished turn. For the agent `text` is what was heard, not what was meant."""

    speaker: Speaker
    text: str
    started_ms: int
    """Since the answer, in audio time."""
    ended_ms: int
    interrupted: bool = False
    confidence: float | None = None
    """Of speech recognition, 0 to 1; None for the agent and for keys."""
    keys: bool = False
    """The person pressed keys (DTMF) instead of speaking."""
    timings: Timings | None = None
    """Of an agent turn that answers the person."""
    tool: ToolUse | None = None
    """Of a tool's turn."""


@dataclass(frozen=True)
class Echo:
    """Our own voice, come back on the line."""

    delay_ms: int
    level_db: float
    """Of what was sent."""
