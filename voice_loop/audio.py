"""Audio as it travels through Offhook: mono int16 frames of 20 ms.

The telephone side runs at the line's rate (8000 Hz for G.711, 16000 Hz for wideband); the
engines have rates of their own, and `Resampler` is the bridge.
"""

import io
import wave
from math import log10
from typing import Final

import numpy as np
import soxr
from numpy.typing import NDArray

#: Mono samples, int16, host byte order, any length.
Samples = NDArray[np.int16]

FRAME_MS: Final = 20
FRAMES_PER_SECOND: Final = 1000 // FRAME_MS

#: Full scale of int16, the reference of dBFS.
FULL_SCALE: Final = 32768.0


def frame_samples(rate: int) -> int:
    """Samples in one 20 ms frame at `rate` Hz."""
    return rate // FRAMES_PER_SECOND


def silence(rate: int, ms: int = FRAME_MS) -> Samples:
    """`ms` milliseconds of digital silence at `rate` Hz."""
    return np.zeros(rate * ms // 1000, dtype=np.int16)


def level_dbfs(samples: Samples) -> float:
    """RMS level in dBFS; -96 for digital silence and for no samples."""
    if samples.size == 0:
        return -96.0
    sound = samples.ravel().astype(np.float32)
    power = float(sound @ sound) / sound.size
    return max(-96.0, 10.0 * log10(max(power, 1e-9) / FULL_SCALE**2))


def wav_bytes(samples: Samples, rate: int) -> bytes:
    """A WAV file of mono samples."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.astype("<i2").tobytes())
    return buffer.getvalue()


class Resampler:
    """Streams samples from one rate to another; state is kept between chunks."""

    def __init__(self, source_rate: int, target_rate: int) -> None:
        self._stream = (
            None
            if source_rate == target_rate
            else soxr.ResampleStream(source_rate, target_rate, 1, dtype="int16", quality="HQ")
        )

    def push(self, chunk: Samples, *, last: bool = False) -> Samples:
        """Resample one chunk; with `last`, what the filter still holds comes out too."""
        if self._stream is None:
            return chunk
        resampled: Samples = self._stream.resample_chunk(chunk, last=last)
        return resampled


def resample(samples: Samples, source_rate: int, target_rate: int) -> Samples:
    """Resample a whole recording."""
    return Resampler(source_rate, target_rate).push(samples, last=True)


def _half_band() -> NDArray[np.float64]:
    """A low-pass filter at a quarter of the sampling rate, 50 dB down from 0.29 of it on."""
    reach = 23
    taps = np.sinc(np.arange(-reach, reach + 1) / 2) * np.kaiser(2 * reach + 1, 5)
    return np.asarray(taps / taps.sum())


_HALF_BAND: Final[NDArray[np.float64]] = _half_band()


class Halver:
    """Streams frames down to half their rate, each as soon as it comes; 1.4 ms late at 16 kHz."""

    def __init__(self) -> None:
        self._past: NDArray[np.float64] = np.zeros(_HALF_BAND.size - 1)

    def push(self, frame: Samples) -> Samples:
        """The frame's samples at half the rate: half as many."""
        heard = np.concatenate((self._past, frame.astype(np.float64)))
        self._past = heard[frame.size :]
        return _int16(np.convolve(heard, _HALF_BAND, "valid")[::2])


class Doubler:
    """Streams frames up to twice their rate, as `Halver` does down."""

    def __init__(self) -> None:
        self._past: NDArray[np.float64] = np.zeros(_HALF_BAND.size - 1)

    def push(self, frame: Samples) -> Samples:
        """The frame's samples at twice the rate: twice as many."""
        spread = np.zeros(self._past.size + 2 * frame.size)
        spread[: self._past.size] = self._past
        spread[self._past.size :: 2] = 2.0 * frame
        self._past = spread[2 * frame.size :]
        return _int16(np.convolve(spread, _HALF_BAND, "valid"))


def _int16(samples: NDArray[np.float64]) -> Samples:
    return np.clip(np.rint(samples), -FULL_SCALE, FULL_SCALE - 1).astype(np.int16)
