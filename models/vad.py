"""Voice activity detection: WebRTC's detector, and an energy floor that follows the line's noise.

WebRTC's detector takes steady noise for speech. A frame therefore also has to stand out of the
noise that this very line has shown: the quietest frame of the last seconds. Speech dips between
sounds and words, so that minimum is the noise even while someone talks; steady noise does not
dip, so after those seconds it no longer stands out of itself.
"""

from collections import deque
from typing import Final

import webrtcvad

from voice_loop.audio import FRAMES_PER_SECOND, Samples, frame_samples, level_dbfs

#: A frame must be this much louder than the noise, dB.
MARGIN_DB: Final = 6.0
#: The noise is the minimum over this long, seconds.
WINDOW_S: Final = 2
#: The noise estimate stays within these, dBFS: quieter is silence on any line; louder is no noise
#: that one could talk over.
QUIETEST_DBFS: Final = -60.0
LOUDEST_DBFS: Final = -28.0


class WebRtcDetector:
    """The speech detector of one call (`voice_loop.ports.SpeechDetector`).

    Args:
        rate: the line's rate, 8000 or 16000 Hz.
        mode: WebRTC's aggressiveness, 0 (calls most things speech) to 3 (the least).
    """

    def __init__(self, rate: int, mode: int = 2) -> None:
        if rate not in (8000, 16000):
            raise ValueError(f"speech detection works at 8000 or 16000 Hz, not at {rate}")
        if mode not in range(4):
            raise ValueError(f"the VAD mode goes from 0 to 3, not {mode}")
        self._rate = rate
        self._samples = frame_samples(rate)
        self._vad = webrtcvad.Vad(mode)
        frames = WINDOW_S * FRAMES_PER_SECOND
        # A line is taken to be quiet until it has been heard for the whole window: the first
        # word of someone who talks at once must not become the noise.
        self._levels = deque([QUIETEST_DBFS] * frames, maxlen=frames)

    @property
    def noise_dbfs(self) -> float:
        """The noise level that this line is taken to have, dBFS."""
        return min(LOUDEST_DBFS, max(QUIETEST_DBFS, min(self._levels)))

    def is_speech(self, frame: Samples) -> bool:
        """Whether one 20 ms frame holds speech. Frames must come in order."""
        if frame.size != self._samples:
            raise ValueError(f"a frame has {self._samples} samples, not {frame.size}")
        sounds_like_speech = bool(self._vad.is_speech(frame.tobytes(), self._rate))
        level = level_dbfs(frame)
        self._levels.append(level)
        return sounds_like_speech and level > self.noise_dbfs + MARGIN_DB
