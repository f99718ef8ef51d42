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
    sound = samples.astype(np.float32)
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
