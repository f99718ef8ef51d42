"""What is rendered while it rings: the opening, and lines that must come at once or in time."""

from voice_loop.call_engines import CallEngines
from voice_loop.config import ConversationConfig
from voice_loop.dialogue import Dialogue
from voice_loop.phrases import Phrases
from voice_loop.toolset import Toolset


class Prepared:
    """The speeches of one call that are known before it."""

    def __init__(self, config: ConversationConfig, engines: CallEngines, phrases: Phrases) -> None:
        self._config = config
        self._engines = engines
        self._phrases = phrases
        self.opening = engines.new_speech()
        self.opening.opens = True
        self.apology = engines.new_last_words()
        self.time_up = engines.new_last_words()
        self.voicemail = engines.new_last_words()

    async def render_opening(self, dialogue: Dialogue, toolset: Toolset) -> None:
        """The apology, so that failures can be told, and the opening. Raises EngineError."""
        await self._engines.read_out(self._phrases.apology, self.apology)
        sentence, mode = self._config.first_sentence, self._config.first_sentence_mode
        if mode == "static" and sentence:
            await self._engines.read_out(sentence, self.opening)
        elif mode != "none":
            opening = dialogue.copy()
            if sentence:
                opening.open_with(sentence)
            await self._engines.answer(
                opening.messages(),
                self.opening,
                tools=toolset.specs,
                announce=toolset.announcement,
                fallback=self._phrases.greeting,
            )

    async def render_time_up(self) -> int:
        """The last words of the longest conversation; their length in ms, 0 when there are none.

        Raises EngineError.
        """
        message = self._config.time_up_message
        text = self._phrases.time_up if message is None else message
        await self._engines.read_out(text, self.time_up)
        return self.time_up.length_ms

    async def render_voicemail(self) -> None:
        """The message for an answering machine, if one is left. Raises EngineError."""
        config = self._config
        try:
            if config.voicemail == "leave_message":
                text = config.voicemail_message or self.opening.text
                await self._engines.read_out(text, self.voicemail)
        finally:
            self.voicemail.finished = True
