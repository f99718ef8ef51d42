"""Barge-in: whether what the person says into the agent's words takes the floor from it.

Decided while they speak, by the sound of it and by how long it lasts; the words, once they are
known, may decide otherwise.
"""

from voice_loop.audio import FRAME_MS
from voice_loop.floor import FloorConfig
from voice_loop.ports import ONSET_LEAST_MS, ONSET_LIMIT_MS, ONSET_PADDING_MS, OnsetModel
from voice_loop.speech_input import SpeechInput


class BargeIn:
    """Listens to what the person says while the agent speaks."""

    def __init__(
        self, speech_input: SpeechInput, config: FloorConfig, onset: OnsetModel | None, rate: int
    ) -> None:
        """
        Args:
            speech_input: has what is heard.
            config: how little takes the floor.
            onset: knows takers by their sound; None where only the length decides.
            rate: of the line's frames, Hz.
        """
        self._speech_input = speech_input
        self._config = config
        self._onset = onset
        self._rate = rate

    def takes_floor(self) -> bool:
        """Whether the speech since the latest pause takes the floor."""
        floor, config = self._speech_input.floor, self._config
        spoken_frames = floor.last_speech_frame + 1 - floor.since_pause_frame
        if spoken_frames * FRAME_MS >= config.barge_in_lasts_ms:
            return True
        if self._onset is None or spoken_frames * FRAME_MS < ONSET_LEAST_MS:
            return False
        padded = floor.since_pause_frame - ONSET_PADDING_MS // FRAME_MS
        heard = self._speech_input.heard_since(padded)[: self._rate * ONSET_LIMIT_MS // 1000]
        return self._onset.takes_floor(heard, self._rate) >= config.barge_in_probability
