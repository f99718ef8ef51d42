"""When a pause ends the person's turn, by rule: its length, and the last word before it."""

from voice_loop.audio import Samples
from voice_loop.floor import FloorConfig
from voice_loop.phrases import Phrases, plain_words
from voice_loop.ports import Transcript


class RuleTurnDetector:
    """A `voice_loop.ports.TurnDetector` that needs no model."""

    def __init__(self, config: FloorConfig, phrases: Phrases) -> None:
        """
        Args:
            config: how long a pause ends a turn.
            phrases: of the call's language; their `unfinished` words make a pause longer.
        """
        self._config = config
        self._phrases = phrases
        self._hold_ms = config.end_of_turn_ms

    def hear(self, frame: Samples) -> None:
        """The sound of the words does not matter here."""

    def paused(self) -> None:
        self._hold_ms = self._config.end_of_turn_ms

    def transcribed(self, transcript: Transcript) -> None:
        if plain_words(transcript.text).rpartition(" ")[2] in self._phrases.unfinished:
            self._hold_ms = self._config.unfinished_turn_ms

    def turn_over(self, silent_ms: int) -> bool:
        return silent_ms >= self._hold_ms
