"""One answer in the making: what was said, what it asks of the agent, and what it is answered.

A reply is often speculative: work starts at a short pause and is thrown away when the person
goes on. Nothing here touches the line; the conversation decides whether and when it is spoken.
"""

import asyncio
from dataclasses import dataclass, field
from enum import Enum, auto
from time import monotonic

from voice_loop.events import Timings
from voice_loop.playout import Speech
from voice_loop.ports import Transcript


class Verdict(Enum):
    """What the person's words ask of us."""

    NOTHING = auto()
    """No speech in it: noise, a cough."""
    BACKCHANNEL = auto()
    """They listen and say so; the agent may go on."""
    REPEAT = auto()
    """Speech recognition is not sure enough to act on it."""
    OPENING = auto()
    """They said hello; the opening is the answer."""
    ANSWER = auto()


@dataclass
class Reply:
    """The state of one answer. Marks are `time.monotonic()` seconds."""

    speech: Speech
    """What it says now; another one after each tool that it uses."""
    last_voiced_at: float
    """Arrival of the person's last voiced packet."""
    started_ms: int
    ended_ms: int
    transcript: Transcript | None = None
    verdict: Verdict | None = None
    turn_over: bool = False
    settled: bool = False
    """The person left it the floor, and their words are in the dialogue."""
    tools_used: int = 0
    spoke: bool = False
    """Something of it was heard."""
    keys: bool = False
    task: asyncio.Task[None] | None = None
    marks: dict[str, float] = field(default_factory=dict)

    def mark(self, name: str) -> None:
        """Note the first time that something happened."""
        self.marks.setdefault(name, monotonic())

    def timings(self) -> Timings:
        """The marks so far, as ms after the person's last voiced packet."""
        elapsed = {
            f"{name}_ms": round((at - self.last_voiced_at) * 1000, 1)
            for name, at in self.marks.items()
        }
        return Timings(**elapsed)

    def cancel(self) -> None:
        if self.task is not None:
            self.task.cancel()
