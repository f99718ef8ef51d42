"""The level of speech, as ITU-T P.56 (method B) defines it, and how much of it is clipped.

Level while somebody speaks, pauses left out, whatever their length: what is below a threshold that
the level itself sets, 15.9 dB down, is no speech. The envelope is taken every 5 ms, where P.56
takes it at each sample.

Sans-IO: frames are kept and worked on a second at a time: less than a microsecond of CPU for each.
"""

from dataclasses import dataclass
from math import log10
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from voice_loop.audio import FRAMES_PER_SECOND, FULL_SCALE, Samples

_Floats = NDArray[np.floating[Any]]

#: Envelope values a second, and the time constant of each of its two smoothings (P.56: 30 ms).
_BLOCKS: Final = 200
_CONSTANT_S: Final = 0.03
#: Values for which what was loud counts as speech still (P.56: 200 ms).
_HANGOVER: Final = 40
#: Of the threshold below the level (P.56).
_MARGIN_DB: Final = 15.9
#: Thresholds: each twice the one before, from -90 dB on.
_THRESHOLDS: Final = FULL_SCALE * 2.0 ** np.arange(-15, 1)
#: Samples as near the end of the scale as G.711's last step are clipped, three in a row.
_CLIPPED: Final = 32_000

_DECAY: Final = float(np.exp(-1 / (_BLOCKS * _CONSTANT_S)))
_AGES: Final = np.arange(12 * round(_BLOCKS * _CONSTANT_S))
#: What two smoothings, one after the other, make of a single value.
_KERNEL: Final = (1 - _DECAY) ** 2 * (_AGES + 1) * _DECAY**_AGES


@dataclass(frozen=True)
class Level:
    """What was measured of one direction so far."""

    active_dbov: float | None
    """Mean power while somebody spoke; 0 is a square wave at full scale. None for no speech."""
    activity: float
    """Share of the time in which somebody spoke, 0 to 1."""
    clipped_ms: int


NO_LEVEL: Final = Level(None, 0.0, 0)


class SpeechLevel:
    """Measures one direction of one call.

    Args:
        rate: of its frames, Hz.
    """

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._block = rate // _BLOCKS
        self._frames: list[Samples] = []
        self._means: _Floats = np.zeros(len(_KERNEL) - 1, np.float32)
        self._envelope: _Floats = np.zeros(_HANGOVER - 1, np.float32)
        self._active = np.zeros(len(_THRESHOLDS), np.int64)  # values above each threshold
        self._power = 0.0
        self._blocks = 0
        self._clipped = 0

    def push(self, frame: Samples) -> None:
        """Take 20 ms, which nobody may write to from now on."""
        self._frames.append(frame)
        if len(self._frames) == FRAMES_PER_SECOND:
            self._measure()

    def level(self) -> Level:
        """Of all so far."""
        if self._frames:
            self._measure()
        seconds = self._blocks / _BLOCKS
        clipped_ms = self._clipped * 1000 / self._rate
        found = self._active_level()
        if found is None:
            return Level(None, 0.0, round(clipped_ms))
        power = self._power / self._rate / (FULL_SCALE**2)
        activity = min(1.0, power / 10 ** (found / 10) / seconds)
        return Level(round(found, 1), round(activity, 3), round(clipped_ms))

    def _active_level(self) -> float | None:
        """Where the level lies as far above the threshold as the margin is wide, dBov."""
        before: tuple[float, float] | None = None
        for threshold, active in zip(_THRESHOLDS, self._active, strict=True):
            if not active:
                return None if before is None or before[1] > _MARGIN_DB else before[0]
            level = 10 * log10(
                max(self._power, 1e-9) / (float(active) * self._block) / FULL_SCALE**2
            )
            above = level - 20 * log10(threshold / FULL_SCALE)
            if above <= _MARGIN_DB:
                if before is None:
                    return None
                share = (before[1] - _MARGIN_DB) / (before[1] - above)
                return before[0] + share * (level - before[0])
            before = level, above
        return None

    def _measure(self) -> None:
        sound = np.concatenate(self._frames).astype(np.float32)
        self._frames.clear()
        loud = np.abs(sound)
        self._power += float(sound @ sound)
        means = loud.reshape(-1, self._block).mean(axis=1)
        self._blocks += len(means)
        if float(loud.max()) >= _CLIPPED:
            clipped = loud >= _CLIPPED
            self._clipped += int((clipped[2:] & clipped[1:-1] & clipped[:-2]).sum())
        means = np.concatenate([self._means, means])
        self._means = means[-(len(_KERNEL) - 1) :]
        envelope = np.concatenate([self._envelope, np.convolve(means, _KERNEL, "valid")])
        self._envelope = envelope[-(_HANGOVER - 1) :]
        reached = np.searchsorted(_THRESHOLDS, _greatest_within(envelope), "right")
        above = np.bincount(reached, minlength=len(_THRESHOLDS) + 1)
        self._active += above[:0:-1].cumsum()[::-1]


def _greatest_within(values: _Floats) -> _Floats:
    """Of each run of `_HANGOVER` values the greatest: runs twice as long, again and again."""
    length = 1
    while length < _HANGOVER:
        step = min(length, _HANGOVER - length)
        values = np.maximum(values[:-step], values[step:])
        length += step
    return values
