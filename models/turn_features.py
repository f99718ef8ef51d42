"""What the model of turn ends sees of the latest seconds: a spectrum, loudness and melody.

All is relative to this person's own voice: the spectrum and the loudness to the level of their
speech, the pitch to its median. Frames are 32 ms long, one every 16 ms.
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
FRAMES: Final = SECONDS * RATE // HOP
BANDS: Final = 32
#: The bands, then loudness, voicing and pitch.
CHANNELS: Final = BANDS + 3

#: The spectrum ends this many decades of power below the person's speech.
_RANGE: Final = 5.0
#: Which share of the frames is quieter than the level of speech.
_SPEECH_QUANTILE: Final = 0.9
#: Fundamental frequencies that are looked for, Hz.
_LOWEST_HZ, _HIGHEST_HZ = 65, 400
#: The autocorrelation, of what is voiced, at its period.
_VOICED: Final = 0.5
#: Pitch is found at half the rate, over 64 ms.
_PITCH_RATE: Final = RATE // 2
_PITCH_WINDOW: Final = _PITCH_RATE * 64 // 1000


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


_FILTERS: Final = _filters()
_HANN: Final = np.hanning(WINDOW + 1)[:-1].astype(np.float32)
_PITCH_HANN: Final = np.hanning(_PITCH_WINDOW + 1)[:-1].astype(np.float32)
#: By how much the window itself weakens the autocorrelation at each lag.
_WEAKENED: Final = np.correlate(_PITCH_HANN, _PITCH_HANN, "full")[_PITCH_WINDOW - 1 :]


def turn_features(speech: Samples) -> Floats:
    """(CHANNELS, FRAMES) of the latest `SECONDS` at `RATE`; what is missing before is silence."""
    whole = np.zeros(SECONDS * RATE + WINDOW - HOP, np.float32)
    latest = speech[-whole.size :]
    whole[whole.size - latest.size :] = latest / np.float32(FULL_SCALE)
    frames = np.lib.stride_tricks.sliding_window_view(whole, WINDOW)[::HOP]
    power = _power(np.fft.rfft(frames * _HANN))
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


def _power(spectrum: NDArray[np.complexfloating[Any, Any]]) -> Floats:
    return np.asarray(spectrum.real**2 + spectrum.imag**2, np.float32)


def _melody(whole: Floats) -> tuple[Floats, Floats]:
    """How periodic each frame is, 0 to 1, and log2 of its pitch in Hz."""
    half = (whole[::2] + whole[1::2]) / 2
    before = (_PITCH_WINDOW - WINDOW // 2) // 2
    half = np.pad(half, (before, before))
    frames = np.lib.stride_tricks.sliding_window_view(half, _PITCH_WINDOW)[:: HOP // 2][:FRAMES]
    spectrum = np.fft.rfft(frames * _PITCH_HANN, 2 * _PITCH_WINDOW)
    first, last = _PITCH_RATE // _HIGHEST_HZ, _PITCH_RATE // _LOWEST_HZ
    lags = np.fft.irfft(_power(spectrum))[:, : last + 2]
    likeness = lags[:, first - 1 : last + 2] / (lags[:, :1] + 1e-6)
    likeness /= _WEAKENED[first - 1 : last + 2] / _WEAKENED[0]
    # A period fits as well as its multiples: short ones are preferred a little.
    inner = likeness[:, 1:-1] - 0.002 * np.arange(last - first + 1)
    best = np.argmax(inner, axis=1) + 1
    rows = np.arange(best.size)
    left, peak, right = (likeness[rows, best + step] for step in (-1, 0, 1))
    bend = left - 2 * peak + right
    shift = np.where(bend < -1e-6, 0.5 * (left - right) / np.minimum(bend, -1e-6), 0.0)
    period = first + best - 1 + np.clip(shift, -0.5, 0.5)
    return np.clip(peak, 0, 1), np.asarray(np.log2(_PITCH_RATE / period), np.float32)
