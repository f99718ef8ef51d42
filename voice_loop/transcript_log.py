"""The transcript of a conversation: every finished turn, kept in the dialogue as it is told."""

from voice_loop.answering.phrases import sounds_recorded
from voice_loop.clauses import ToolCall
from voice_loop.dialogue import Dialogue
from voice_loop.events import Timings, ToolUse, Turn
from voice_loop.playout import Speech
from voice_loop.ports import Transcript
from voice_loop.tools import MAX_OUTPUT, ToolResult


class TranscriptLog:
    """Makes turns. Spans are ms since the answer, in audio time."""

    def __init__(self, dialogue: Dialogue) -> None:
        self._dialogue = dialogue
        self._heard_out = False
        self._answers = 0
        self._recorded = False
        """Something was said that machines say."""

    @property
    def conversed(self) -> bool:
        """The person let the agent finish and then answered, twice: machines do not listen."""
        return self._answers > 1

    @property
    def with_human(self) -> bool:
        """The person did so once, and nothing was heard that machines say; or twice."""
        return self.conversed or (self._answers > 0 and not self._recorded)

    def person_came(self) -> None:
        """Somebody has taken over from what said that."""
        self._recorded = self._heard_out = False

    def agent(self, speech: Speech, span_ms: tuple[int, int], timings: Timings | None) -> Turn:
        """Make the agent's turn of what was heard of a speech."""
        heard = speech.heard_text
        if speech.in_history:
            self._dialogue.agent_said(heard, speech.cut_short, speech.unheard_text)
        self._heard_out = not speech.cut_short
        return Turn("agent", heard, *span_ms, interrupted=speech.cut_short, timings=timings)

    def person(
        self, transcript: Transcript, span_ms: tuple[int, int], *, keys: bool, sure: bool
    ) -> Turn:
        """Make a turn of what the person said or keyed in; the dialogue is not told.

        Args:
            transcript: what it was.
            span_ms: when.
            keys: whether it was keyed in.
            sure: whether it surely was, and is no noise that was taken for words.
        """
        recorded = not keys and sounds_recorded(transcript.text)
        self._recorded = self._recorded or recorded
        if sure:
            self._answers += self._heard_out and not recorded
            self._heard_out = False
        confidence = None if keys else transcript.confidence
        return Turn("person", transcript.text, *span_ms, confidence=confidence, keys=keys)

    def tool(self, call: ToolCall, result: ToolResult, span_ms: tuple[int, int]) -> Turn:
        """Make a turn of a tool call and its result."""
        given = call.arguments
        # Servers refuse a history with a call that they cannot read; the output tells what it was.
        self._dialogue.tool_used(call.name, {} if isinstance(given, str) else given, result.output)
        told = given[:MAX_OUTPUT] if isinstance(given, str) else given
        use = ToolUse(call.name, told, result.is_error)
        return Turn("tool", result.output, *span_ms, tool=use)
