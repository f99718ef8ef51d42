"""Tells an answering machine by what it does first: it greets at length, then beeps.

Sans-IO: frames and speech verdicts go in. A person does the one, hardly ever the other.
"""

from dataclasses import dataclass

from voice_loop.audio import FRAME_MS, Samples
from voice_loop.tone import ToneDetector

#: Speech that makes a greeting, its pauses not counted.
_GREETING_FRAMES = 1500 // FRAME_MS
#: The tone comes so soon after the last word,
_AFTER_FRAMES = 5_000 // FRAME_MS
#: and so soon after the answer.
_WITHIN_FRAMES = 60_000 // FRAME_MS
#: A key that is pressed may be heard for so long around the event that tells of it.
_KEY_FRAMES = 500 // FRAME_MS


@dataclass(frozen=True)
class VoicemailTone:
    """A greeting and a tone were heard: what is said from now on is recorded."""


class VoicemailWatch:
    """Listens to one call from the answer on, at `rate` Hz."""

    def __init__(self, rate: int) -> None:
        self._tones = ToneDetector(rate)
        self._frame = 0
        self._speech = 0
        self._last_speech = 0
        self._keys_until = 0

    def press(self) -> None:
        """The far end pressed a key."""
        self._keys_until = self._frame + _KEY_FRAMES

    def listen(self, heard: Samples, *, is_speech: bool) -> bool:
        """Take one frame; whether a machine has beeped."""
        self._frame += 1
        if self._frame > _WITHIN_FRAMES:
            return False
        beeped = self._tones.push(heard)
        if is_speech and not self._tones.sounding:
            self._speech += 1
            self._last_speech = self._frame
        return (
            beeped
            and self._frame > self._keys_until
            and self._speech >= _GREETING_FRAMES
            and self._frame - self._last_speech <= _AFTER_FRAMES
        )
