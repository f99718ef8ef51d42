"""What the model of turn ends sees of the latest seconds: a spectrum, loudness and melody.

All is relative to this person's own voice: the spectrum and the loudness to the level of their
speech, the pitch to its median, the moment to that of their last vowel. Frames are 32 ms long, one
every 16 ms.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from voice_loop.audio import FULL_SCALE, Samples

Floats = NDArray[np.float32]

#: Samples per second of what it looks at.
RATE: Final = 8000
SECONDS: Final = 4
HOP: Final = RATE * 16 // 1000
WINDOW: Final = 2 * HOP
#: Of what is heard, and of that what is looked at.
HEARD_FRAMES: Final = SECONDS * RATE // HOP
FRAMES: Final = 192
#: Of those, how many follow the last vowel.
AFTER: Final = 32
BANDS: Final = 32
#: The bands, then loudness, voicing and pitch.
CHANNELS: Final = BANDS + 3

#: The spectrum ends this many decades of power below the person's speech.
_RANGE: Final = 5.0
#: Which share of the frames is quieter than the level of speech.
_SPEECH_QUANTILE: Final = 0.9
#: The autocorrelation, of what is voiced, at its period.
_VOICED: Final = 0.5
#: A vowel is so periodic, and so many decades of power below the person's speech at most.
_VOWEL: Final = 0.6
_VOWEL_BELOW: Final = 1.3
#: Pitch is found at half the rate, over 64 ms, and silence after them for the longest lag.
_PITCH_RATE: Final = RATE // 2
_PITCH_WINDOW: Final = _PITCH_RATE * 64 // 1000
_PITCH_SIZE: Final = _PITCH_WINDOW * 5 // 4
#: Periods that are looked for, of 400 to 65 Hz.
_PERIODS: Final = np.arange(_PITCH_RATE // 400, _PITCH_RATE // 65 + 1)
#: A period fits as well as its multiples: short ones are preferred a little.
_TILT: Final = np.asarray(0.002 * np.arange(_PERIODS.size), np.float32)
#: The lags of the autocorrelation that are needed: none, and those around the periods.
_LAGS: Final = np.concatenate([[0], np.arange(_PERIODS[0] - 1, _PERIODS[-1] + 2)])


def _mel(hz: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    return np.asarray(2595 * np.log10(1 + hz / 700))


def _filters() -> Floats:
    """Triangles, evenly spaced in mel from 60 to 3900 Hz: (bins, BANDS)."""
    ends = _mel(np.array([60.0, 3900.0]))
    edges = np.linspace(ends[0], ends[1], BANDS + 2)
    bins = _mel(np.fft.rfftfreq(WINDOW, 1 / RATE))[:, None]
    rise = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    fall = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    return np.asarray(np.maximum(0, np.minimum(rise, fall)), np.float32)


def _at_lags() -> Floats:
    """From a power spectrum to the autocorrelation at `_LAGS`, as if the window had not weakened
    it."""
    bins = np.arange(_PITCH_SIZE // 2 + 1)[:, None]
    waves = np.cos(2 * np.pi * bins * _LAGS / _PITCH_SIZE)
    waves[1:-1] *= 2
    own = np.correlate(_PITCH_HANN, _PITCH_HANN, "full")[_PITCH_WINDOW - 1 + _LAGS]
    return np.asarray(waves / own * own[0] / _PITCH_SIZE, np.float32)


_FILTERS: Final = _filters()
_HANN: Final = np.hanning(WINDOW + 1)[:-1].astype(np.float32)
_PITCH_HANN: Final = np.hanning(_PITCH_WINDOW + 1)[:-1].astype(np.float32)
_AT_LAGS: Final = _at_lags()


def turn_features(speech: Samples) -> Floats:
    """(CHANNELS, FRAMES) around the last vowel within the latest `SECONDS` at `RATE`; what is
    missing before is silence, what is missing after goes on as it is."""
    return aligned(features(speech))


def aligned(seen: Floats) -> Floats:
    """Of (CHANNELS, HEARD_FRAMES), those frames that are looked at."""
    loud, voicing = 2 * (seen[BANDS] - 1), seen[BANDS + 1]
    vowel = (voicing > _VOWEL) & (loud > -_VOWEL_BELOW)
    # No single frame is a vowel.
    steady = np.flatnonzero(vowel[1:] & vowel[:-1])
    last = int(steady[-1]) + 1 if steady.size else HEARD_FRAMES - AFTER
    frames = np.clip(np.arange(last + AFTER - FRAMES, last + AFTER), 0, HEARD_FRAMES - 1)
    return seen[:, frames]


def features(speech: Samples) -> Floats:
    """(CHANNELS, HEARD_FRAMES) of the latest `SECONDS`."""
    whole = np.zeros(SECONDS * RATE + WINDOW - HOP, np.float32)
    latest = speech[-whole.size :]
    whole[whole.size - latest.size :] = latest / np.float32(FULL_SCALE)
    frames = np.lib.stride_tricks.sliding_window_view(whole, WINDOW)[::HOP]
    power = _power(_spectra(frames, _HANN, WINDOW))
    bands = np.log10(power @ _FILTERS + 1e-9)
    loudness = np.log10(np.sum(power, axis=1) + 1e-9)
    level = np.quantile(loudness, _SPEECH_QUANTILE)
    spectrum = np.maximum(bands - level, -_RANGE) / 2 + 1
    loud = np.maximum(loudness - level, -_RANGE)
    voicing, pitch = _melody(whole)
    heard = (voicing > _VOICED) & (loud > -2.5)
    middle = np.median(pitch[heard]) if heard.any() else 0.0
    melody = np.where(heard, np.clip(pitch - middle, -1, 1), 0)
    seen = np.concatenate([spectrum.T, [loud / 2 + 1, voicing, 2 * melody]])
    return np.asarray(seen, np.float32)


def _spectra(frames: Floats, window: Floats, size: int) -> NDArray[np.complexfloating[Any, Any]]:
    """Of frames, silence after them up to `size` samples."""
    # Rows that lie a power of two apart fall on each other in the processor's cache: numpy takes
    # four times as long then. Nor is its own padding as quick.
    rows = np.zeros((len(frames), size + 16), np.float32)[:, :size]
    np.multiply(frames, window, out=rows[:, : window.size])
    return np.fft.rfft(rows)


def _power(spectrum: NDArray[np.complexfloating[Any, Any]]) -> Floats:
    return np.asarray(spectrum.real**2 + spectrum.imag**2, np.float32)


def _melody(whole: Floats) -> tuple[Floats, Floats]:
    """How periodic each frame is, 0 to 1, and log2 of its pitch in Hz."""
    half: Floats = np.asarray((whole[::2] + whole[1::2]) / 2, np.float32)
    before = (_PITCH_WINDOW - WINDOW // 2) // 2
    half = np.pad(half, (before, before))
    frames = np.lib.stride_tricks.sliding_window_view(half, _PITCH_WINDOW)[:: HOP // 2][
        :HEARD_FRAMES
    ]
    lags = _power(_spectra(frames, _PITCH_HANN, _PITCH_SIZE)) @ _AT_LAGS
    likeness = lags[:, 1:] / (lags[:, :1] + 1e-6)
    best = np.argmax(likeness[:, 1:-1] - _TILT, axis=1) + 1
    rows = np.arange(best.size)
    left, peak, right = (likeness[rows, best + step] for step in (-1, 0, 1))
    bend = left - 2 * peak + right
    shift = np.where(bend < -1e-6, 0.5 * (left - right) / np.minimum(bend, -1e-6), 0.0)
    period = _PERIODS[best - 1] + np.clip(shift, -0.5, 0.5)
    return np.clip(peak, 0, 1), np.asarray(np.log2(_PITCH_RATE / period), np.float32)
