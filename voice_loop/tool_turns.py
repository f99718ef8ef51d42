"""The tools of one conversation at work: one at a time, beside everything else.

A tool that has begun goes on whatever the person does; what it gave is kept in the dialogue and
told as a turn, also when the call ends first.
"""

import asyncio
from collections.abc import Callable

from voice_loop.clauses import ToolCall
from voice_loop.reply import Reply
from voice_loop.signals import ToolDone, Using
from voice_loop.tools import ToolResult
from voice_loop.toolset import Toolset
from voice_loop.transcript_log import TranscriptLog
from voice_loop.work import Work


class ToolTurns:
    """Uses tools, and notes what came of it."""

    def __init__(
        self,
        toolset: Toolset,
        transcript: TranscriptLog,
        work: Work,
        post: Callable[[ToolDone], None],
    ) -> None:
        self.toolset = toolset
        self._transcript = transcript
        self._work = work
        self._post = post
        self._using: Using | None = None
        self._none_at_work = asyncio.Event()
        self._none_at_work.set()

    @property
    def at_work(self) -> ToolCall | None:
        """What is being done now."""
        return None if self._using is None else self._using.call

    async def finished(self) -> None:
        """Wait until none is at work."""
        await self._none_at_work.wait()

    def begin(self, reply: Reply, call: ToolCall, now_ms: int) -> None:
        """Use a tool; `ToolDone` is posted after it."""
        using = self._using = Using(call, reply, now_ms)
        self._none_at_work.clear()
        self._work.start(reply.speech, lambda: self._carry_out(using))

    async def _carry_out(self, using: Using) -> None:
        using.result = await self.toolset.use(using.call)
        self._post(ToolDone(using))

    def note(self, now_ms: int) -> None:
        """Note what came of it, or that the call ended first."""
        if self._using is None:
            return
        using, self._using = self._using, None
        result = using.result or ToolResult("The call ended before this was done.", is_error=True)
        self._transcript.tool(using.call, result, (using.started_ms, now_ms))
        self._none_at_work.set()
