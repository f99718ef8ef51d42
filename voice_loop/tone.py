"""Finds a tone that somebody sends into the line and ends: the beep of an answering machine.

Sans-IO, one 20 ms frame at a time. A tone is one steady frequency or two, with next to nothing
beside them, for 0.2 to 2 s; it is found once silence follows. Voices glide, music goes on, and
the keys of a telephone (DTMF) are left out.
"""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from voice_loop.audio import FRAME_MS, FRAMES_PER_SECOND, FULL_SCALE, Samples

#: Where beeps are, Hz.
LOWEST_HZ: Final = 350.0
HIGHEST_HZ: Final = 2120.0
#: What is found by itself, without words that announce it, ms.
SURE_MS: Final = 180

#: Whole frames of the longest tone; it seldom begins and ends with one.
_LONGEST_FRAMES = 2000 // FRAME_MS
#: Mean square of the quietest tone: -40 dBFS.
_QUIETEST = (FULL_SCALE * 0.01) ** 2
#: The share of a frame's power that its one or two frequencies have.
_PUREST = 0.9
#: Bins of the spectrum on either side of a peak that belong to it (Hann window).
_LOBE = 2
#: How far a frame of a tone may be from the others.
_STEADY_HZ = 12.0
_STEADY_RATIO = 10**0.3
#: What follows is quieter by so much, for so many frames, within so many.
_DROP_RATIO = 10**1.2
_QUIET_FRAMES = 3
_WAIT_FRAMES = 6

#: DTMF, Hz (ITU-T Q.23): a key is one of each. It may be off by this share (Q.24, with some room).
_ROWS = (697.0, 770.0, 852.0, 941.0)
_COLUMNS = (1209.0, 1336.0, 1477.0, 1633.0)
_KEY_TOLERANCE = 0.03

#: Frequencies, Hz, lower first.
Pitches = tuple[float, ...]


class ToneDetector:
    """Listens to one direction of a line.

    Args:
        rate: Hz.
        shortest_ms: whole frames of the shortest tone that is found.
    """

    def __init__(self, rate: int, shortest_ms: int = SURE_MS) -> None:
        self._shortest_frames = shortest_ms // FRAME_MS
        self.pitches: Pitches = ()
        """The one or two frequencies, Hz, lower first, that the latest frame consists of."""
        self.found: tuple[Pitches, int] = ((), 0)
        """The frequencies of the tone that ended last, and how long it was, ms."""
        self._window = np.hanning(rate // FRAMES_PER_SECOND).astype(np.float32)
        self._pitches: Pitches = ()
        self._frames = 0
        self._power = 0.0
        """The mean of the tone that lasts, or of the one that ended."""
        self._waited: int | None = None
        """Frames since a tone ended, while it is not known what follows."""
        self._quiet = 0

    @property
    def sounding(self) -> bool:
        """Whether the latest frame was of a tone, however short that is so far."""
        return self._frames > 0

    def push(self, frame: Samples) -> bool:
        """Take one frame; whether it shows that there was a tone, once for each."""
        sound = frame.astype(np.float32)
        power = float(sound @ sound) / sound.size
        pitches = self.pitches = self._pitches_of(sound) if power >= _QUIETEST else ()
        if self._goes_on(pitches, power):
            self._frames += 1
            self._power += (power - self._power) / self._frames
            return False
        if self._shortest_frames <= self._frames <= _LONGEST_FRAMES:
            self._waited, self._quiet = 0, 0
            self.found = self._pitches, self._frames * FRAME_MS
        self._frames = 0
        if self._waited is not None:
            return self._is_followed_by_silence(power)
        if pitches:
            self._pitches, self._power, self._frames = pitches, power, 1
        return False

    def _goes_on(self, pitches: Pitches, power: float) -> bool:
        """Whether this is the tone of the frames before."""
        return (
            self._frames > 0
            and len(pitches) == len(self._pitches)
            and all(
                abs(one - other) <= _STEADY_HZ
                for one, other in zip(pitches, self._pitches, strict=True)
            )
            and self._power / _STEADY_RATIO <= power <= self._power * _STEADY_RATIO
        )

    def _is_followed_by_silence(self, power: float) -> bool:
        assert self._waited is not None
        self._waited += 1
        self._quiet = self._quiet + 1 if power * _DROP_RATIO <= self._power else 0
        found = self._quiet >= _QUIET_FRAMES
        if found or self._waited >= _WAIT_FRAMES:
            self._waited = None
        return found

    def _pitches_of(self, sound: NDArray[np.float32]) -> Pitches:
        return pitches_of(sound * self._window, FRAMES_PER_SECOND)


def pitches_of(windowed: NDArray[np.float32], bin_hz: float) -> Pitches:
    """The one or two frequencies, Hz, lower first, that a sound consists of; else none.

    Args:
        windowed: the sound, by a Hann window.
        bin_hz: one over its length in seconds.
    """
    spectrum = np.fft.rfft(windowed)
    powers = spectrum.real**2 + spectrum.imag**2
    pure = _PUREST * float(powers.sum())
    pitch, power = _take_peak(powers, bin_hz)
    if power >= pure:
        return (pitch,) if LOWEST_HZ <= pitch <= HIGHEST_HZ else ()
    if power < pure / 2:
        return ()
    other, other_power = _take_peak(powers, bin_hz)
    low, high = sorted((pitch, other))
    if power + other_power < pure or low < LOWEST_HZ or high > HIGHEST_HZ:
        return ()
    return () if _near(low, _ROWS) and _near(high, _COLUMNS) else (low, high)


def _take_peak(powers: NDArray[np.floating], bin_hz: float) -> tuple[float, float]:
    """The highest peak of a spectrum, Hz, and its power; it is taken out."""
    index = min(max(_LOBE, int(powers.argmax())), powers.size - _LOBE - 1)
    lobe = powers[index - _LOBE : index + _LOBE + 1]
    power = float(lobe.sum())
    left, top, right = (math.log(level + 1e-9) for level in lobe[_LOBE - 1 : _LOBE + 2].tolist())
    curve = left - 2 * top + right
    offset = 0.5 * (left - right) / curve if curve else 0.0
    lobe[:] = 0
    return (index + offset) * bin_hz, power


def _near(pitch: float, keys: tuple[float, ...]) -> bool:
    return any(abs(pitch - key) <= key * _KEY_TOLERANCE for key in keys)
