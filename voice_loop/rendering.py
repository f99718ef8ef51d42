"""What is rendered while it rings: the opening, and lines that must come at once or in time."""

from voice_loop.call_engines import CallEngines
from voice_loop.config import ConversationConfig
from voice_loop.dialogue import Dialogue
from voice_loop.phrases import Phrases
from voice_loop.prepared import Prepared


class Renderer:
    """Fills the prepared speeches of one call."""

    def __init__(
        self, prepared: Prepared, config: ConversationConfig, engines: CallEngines, phrases: Phrases
    ) -> None:
        self._prepared = prepared
        self._config = config
        self._engines = engines
        self._phrases = phrases

    async def opening(self, dialogue: Dialogue) -> None:
        """Render the apology, so that failures can be told, and the opening of a dialogue.

        Raises EngineError.
        """
        again, phrases = self._config.called_again, self._phrases
        apology = phrases.apology_for_now if again else phrases.apology
        await self._engines.read_out(apology, self._prepared.apology)
        sentence, mode = self._config.first_sentence, self._config.first_sentence_mode
        if mode == "static" and sentence:
            await self._engines.read_out(sentence, self._prepared.opening)
        elif mode != "none":
            dialogue = dialogue.copy()
            if sentence:
                dialogue.open_with(sentence)
            await self._engines.answer(
                dialogue.messages(), self._prepared.opening, fallback=self._phrases.greeting
            )

    async def announcement(self) -> None:
        """Render what is said before everything else. Raises EngineError."""
        await self._engines.read_out(self._config.announcement, self._prepared.announcement)

    async def time_up(self) -> int:
        """Render the last words of the longest conversation. Raises EngineError.

        Returns:
            Their length in ms, 0 when there are none.
        """
        message = self._config.time_up_message
        text = self._phrases.time_up if message is None else message
        await self._engines.read_out(text, self._prepared.time_up)
        return self._prepared.time_up.length_ms

    async def voicemail(self, dialogue: Dialogue) -> None:
        """Render the message for an answering machine, if one is left: the operator's, else one
        that the model writes for the dialogue. Raises EngineError.
        """
        speech = self._prepared.voicemail
        try:
            if self._config.voicemail == "leave_message":
                text = self._config.voicemail_message or await self._message(dialogue)
                await self._engines.read_out(text, speech)
        finally:
            speech.finished = True

    async def _message(self, dialogue: Dialogue) -> str:
        dialogue = dialogue.copy()
        dialogue.leave_message()
        text = await self._engines.write(dialogue.messages())
        # What asks, or opens the call, is meant for somebody who answers; JSON for nobody.
        openings = {"", self._config.first_sentence, self._prepared.opening.text}
        unfit = text in openings or text.endswith(("?", "؟", "？")) or "{" in text
        return self._phrases.voicemail if unfit else text
