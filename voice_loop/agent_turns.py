"""The agent's side of the floor: which speech has it, for which answer, and what was heard of it.

Sans-IO: what is to be done on the line is added to the director's commands.
"""

from collections.abc import Callable

from voice_loop.commands import Command, FallSilent, GiveUp, Hold, Play, ReadOut, Report
from voice_loop.playout import Speech
from voice_loop.reply import Reply
from voice_loop.signals import Moment
from voice_loop.transcript_log import TranscriptLog


class AgentTurns:
    """Gives the floor to one speech at a time, and takes it."""

    def __init__(
        self, log: TranscriptLog, commands: list[Command], note_question: Callable[[], None]
    ) -> None:
        """
        Args:
            log: makes turns of what was heard.
            commands: takes what is to be done.
            note_question: notes what is answered, which comes before the answer.
        """
        self.speech: Speech | None = None
        """The speech that has the floor, held or not."""
        self.reply: Reply | None = None
        """The answer that the speech belongs to, if it is one."""
        self._log = log
        self._note_question = note_question
        self._commands = commands

    def play(self, speech: Speech) -> None:
        """Give a speech the floor."""
        self.speech = speech
        self._commands.append(Play(speech, None if self.reply is None else self.reply.stopwatch))

    def play_line(self, speech: Speech, text: str) -> None:
        """Give a speech the floor into which a fixed line is yet to be voiced."""
        self.play(speech)
        stopwatch = None if self.reply is None else self.reply.stopwatch
        self._commands.append(ReadOut(speech, text, stopwatch))

    def speak(self, reply: Reply, now: Moment) -> None:
        """Give an answer the floor, once the person leaves it."""
        self.reply = reply
        self.play(reply.speech)
        if now.person_speaks:
            self._commands.append(Hold())

    def give_way(self, now: Moment) -> None:
        """Give up the floor: what was being said ends at the words that were heard."""
        if self.speech is not None:
            self.note(self.speech, now)
        if self.reply is not None:
            self._commands.append(GiveUp(self.reply.speech))
        self.reply = None

    def note(self, speech: Speech, now: Moment) -> None:
        """Take the floor from a speech, and report what was heard of it."""
        self._note_question()
        self.speech = None
        self._commands.append(FallSilent())
        if speech.heard_text:
            timings = None if self.reply is None else self.reply.heard()
            self._commands.append(Report(self._log.agent(speech, now.spoken_ms, timings)))
