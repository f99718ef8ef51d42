"""One channel of a call: samples in the places where they were heard."""

from typing import Final

import numpy as np

from models.recordings import RATE
from voice_loop.audio import Samples

_BLOCK: Final = 30 * RATE


class Timeline:
    """Samples at `RATE`, counted from the call's first moment; nothing is silence."""

    def __init__(self) -> None:
        self._samples = np.zeros(_BLOCK, dtype=np.int16)
        self._end = 0

    @property
    def end(self) -> int:
        """Where the next sample would follow."""
        return self._end

    @property
    def whole(self) -> Samples:
        """All of it."""
        return self._samples[: self._end]

    def write(self, start: int, samples: Samples) -> None:
        """Put samples in their place, over what is there."""
        end = start + samples.size
        while end > self._samples.size:
            self._samples = np.concatenate([self._samples, np.zeros(_BLOCK, dtype=np.int16)])
        self._samples[start:end] = samples
        self._end = max(self._end, end)

    def cut(self, start: int, end: int) -> Samples:
        """Those from `start` to before `end`; silence before the first and after the last."""
        part = np.zeros(end - start, dtype=np.int16)
        inside = self._samples[max(0, start) : max(0, end)]
        part[max(0, -start) : max(0, -start) + inside.size] = inside
        return part

    def is_louder(self, start: int, end: int, peak: int) -> bool:
        """Whether a sample in that time is above the peak, either way."""
        inside = self._samples[max(0, start) : max(0, end)]
        return inside.size > 0 and bool(inside.max() > peak or inside.min() < -peak)
