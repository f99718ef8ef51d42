"""One answer in the making: what was said, what it asks of the agent, and what it is answered.

A reply is often speculative: work starts at a short pause and is thrown away when the person
goes on. The `director` alone makes and changes replies.
"""

from dataclasses import dataclass

from voice_loop.events import Timings
from voice_loop.judgement import Verdict
from voice_loop.playout import Speech
from voice_loop.ports import Transcript
from voice_loop.stopwatch import Stopwatch


@dataclass
class Reply:
    """The state of one answer."""

    speech: Speech
    """What it says now; another one after each tool that it uses."""
    stopwatch: Stopwatch
    started_ms: int
    """When the person began to say what it answers, ms since the answer in audio time."""
    onset_ms: int
    """The same, without what the answer before that answers (`continues`)."""
    ended_ms: int
    transcript: Transcript | None = None
    verdict: Verdict | None = None
    turn_over: bool = False
    settled: bool = False
    """What it answers is in the dialogue."""
    waits_for_tool: bool = False
    """It is to be answered once the tool at work has given its result."""
    continues: "Reply | None" = None
    """What it answers goes on from what that one answers, which is withdrawn if this is spoken."""
    tools_used: int = 0
    spoke: bool = False
    """Something of it was heard."""
    keys: bool = False
    """The person pressed keys instead of speaking."""
    menu_again: bool = False
    """What it answers is a menu that was heard before."""

    def heard(self) -> Timings | None:
        """Note that words of it were heard; returns its times the first time, if it has any."""
        first, self.spoke = not self.spoke, True
        return self.stopwatch.timings() if first and self.transcript is not None else None
