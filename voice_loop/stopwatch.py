"""Where the time of one answer goes: when each of its steps happened first."""

from typing import Literal

from voice_loop.events import Timings

Step = Literal["endpoint", "transcript", "first_token", "first_audio", "wire"]


class Stopwatch:
    """Takes the times of one answer, in `time.monotonic()` seconds."""

    def __init__(self, last_voiced_at: float) -> None:
        """
        Args:
            last_voiced_at: when the person's last voiced packet arrived.
        """
        self._last_voiced_at = last_voiced_at
        self._marks: dict[Step, float] = {}

    def mark(self, step: Step, at: float) -> None:
        """Note when a step happened; its first time counts."""
        self._marks.setdefault(step, at)

    def timings(self) -> Timings:
        """The marks so far, as ms after the person's last voiced packet."""
        elapsed = {
            f"{step}_ms": round((at - self._last_voiced_at) * 1000, 1)
            for step, at in self._marks.items()
        }
        return Timings(**elapsed)
