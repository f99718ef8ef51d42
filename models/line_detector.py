"""The speech detectors of all calls of a process, whatever the rate of a line.

The detector's networks were taught on telephone speech, so a line at 16 kHz is judged by what of
it a telephone carries: the rest would shift the levels that they know, and cost twice the time.
"""

from models.vad import Ears, SileroDetector
from voice_loop.audio import Halver, Samples
from voice_loop.ports import NeuralDetector

_RATE = 8000


class LineDetectors:
    """Makes them; all of one batch. Used by one thread, that of the media."""

    def __init__(self) -> None:
        self._ears = Ears()

    def detector(self, rate: int) -> NeuralDetector:
        """Of a line of 8000 or 16000 Hz. Raises ValueError for another rate."""
        if rate == 2 * _RATE:
            return _Narrowed(self._ears.detector(_RATE))
        return self._ears.detector(rate)


class _Narrowed:
    """A detector of what a telephone would carry of a line at 16 kHz."""

    def __init__(self, detector: SileroDetector) -> None:
        self._halver = Halver()
        self._detector = detector
        self._expected: Samples | None = None
        self._narrow: Samples | None = None

    def expect(self, frame: Samples) -> None:
        """As `voice_loop.ports.NeuralDetector.expect`."""
        self._expected, self._narrow = frame, self._halver.push(frame)
        self._detector.expect(self._narrow)

    def is_speech(self, frame: Samples) -> bool:
        """As `voice_loop.ports.SpeechDetector.is_speech`."""
        if self._narrow is None or self._expected is not frame:
            self.expect(frame)
        narrow, self._narrow = self._narrow, None
        return narrow is not None and self._detector.is_speech(narrow)

    @property
    def convinced(self) -> bool:
        """As `voice_loop.ports.NeuralDetector.convinced`."""
        return self._detector.convinced
