"""The transcript of a conversation: every finished turn, told outside and kept in the dialogue."""

from collections.abc import Callable

from voice_loop.clauses import ToolCall
from voice_loop.dialogue import Dialogue
from voice_loop.events import ToolUse, Turn
from voice_loop.playout import Speech
from voice_loop.reply import Reply
from voice_loop.tools import ToolResult


class TranscriptLog:
    """Takes down turns. Times are ms since the answer, in audio time."""

    def __init__(self, dialogue: Dialogue, on_turn: Callable[[Turn], None]) -> None:
        self._dialogue = dialogue
        self._on_turn = on_turn
        self._heard_out = False
        self._answers = 0

    @property
    def conversed(self) -> bool:
        """The person let the agent finish and then spoke, twice: machines do not listen."""
        return self._answers > 1

    def agent(self, speech: Speech, reply: Reply | None, span_ms: tuple[int, int]) -> None:
        """What was heard of a speech; `reply` is the answer that it belongs to."""
        heard = speech.heard_text
        if not heard:
            return
        if speech.in_history:
            self._dialogue.agent_said(heard, interrupted=speech.cut_short)
        timings = None
        if reply is not None and not reply.spoke:
            timings = None if reply.transcript is None else reply.timings()
            reply.spoke = True
        cut_short = speech.cut_short
        self._heard_out = not cut_short
        self._on_turn(Turn("agent", heard, *span_ms, interrupted=cut_short, timings=timings))

    def person(self, reply: Reply) -> None:
        """What the person said or keyed in; whether the model is told is another matter."""
        if reply.transcript is None:
            return
        self._answers += self._heard_out
        self._heard_out = False
        self._on_turn(
            Turn(
                "person",
                reply.transcript.text,
                reply.started_ms,
                reply.ended_ms,
                confidence=None if reply.keys else reply.transcript.confidence,
                keys=reply.keys,
            )
        )

    def tool(self, call: ToolCall, result: ToolResult, span_ms: tuple[int, int]) -> None:
        """What the agent did, and what came of it."""
        self._dialogue.tool_used(call.name, call.arguments, result.output)
        use = ToolUse(call.name, call.arguments, result.is_error)
        self._on_turn(Turn("tool", result.output, *span_ms, tool=use))
