"""Opus (RFC 6716) through PyAV, which aiortc uses, at the line's 16 kHz.

A packet is 48 kHz on the wire whatever was encoded (RFC 7587); what is decoded is brought down
here, half a millisecond late, as the voice loop hears 16 kHz.
"""

from fractions import Fraction
from typing import Final

import numpy as np
from av import AudioFrame, CodecContext
from av.audio.codeccontext import AudioCodecContext
from av.error import FFmpegError
from av.packet import Packet
from numpy.typing import NDArray

from voice_loop.audio import FULL_SCALE, Samples

RATE: Final = 16_000
CLOCK: Final = 48_000
_FACTOR: Final = CLOCK // RATE
_BITS_PER_S: Final = 32_000


def _low_pass() -> NDArray[np.float64]:
    """A low-pass filter at a sixth of the sampling rate."""
    reach = 24
    taps = np.sinc(np.arange(-reach, reach + 1) * 0.95 / _FACTOR) * np.kaiser(2 * reach + 1, 5)
    return np.asarray(taps / taps.sum())


_LOW_PASS: Final = _low_pass()


class OpusCoder:
    """Reads and writes one stream's payloads (`pbx.codecs.Coder`).

    Args:
        channels: of what is written; two come interleaved.
    """

    def __init__(self, channels: int = 1) -> None:
        layout = "stereo" if channels == 2 else "mono"
        self._layout = layout
        self._decoder = _context("r")
        self._decoder.format = "s16"
        self._decoder.layout = "mono"
        self._decoder.sample_rate = CLOCK
        self._encoder = _context("w")
        self._encoder.bit_rate = _BITS_PER_S * channels
        self._encoder.format = "s16"
        self._encoder.layout = layout
        self._encoder.sample_rate = RATE
        self._encoder.time_base = Fraction(1, RATE)
        self._encoder.options = {"application": "voip", "frame_duration": "20"}
        self._past: NDArray[np.float64] = np.zeros(_LOW_PASS.size - 1)
        self._encoded = 0

    def decode(self, payload: bytes) -> Samples:
        """Samples of the next payload; none of one that is no Opus."""
        try:
            frames = self._decoder.decode(Packet(payload))
        except FFmpegError:
            return np.zeros(0, dtype=np.int16)
        heard = [frame.to_ndarray().ravel() for frame in frames]
        if not heard:
            return np.zeros(0, dtype=np.int16)
        wide = np.concatenate([self._past, *heard])
        self._past = wide[wide.size - self._past.size :]
        low = np.convolve(wide, _LOW_PASS, "valid")[::_FACTOR]
        return np.clip(np.rint(low), -FULL_SCALE, FULL_SCALE - 1).astype(np.int16)

    def encode(self, samples: Samples) -> bytes:
        """Payload of the next 20 ms. Raises ValueError for other than int16."""
        if samples.dtype != np.int16:
            raise ValueError(f"audio must be int16 samples, not {samples.dtype}")
        frame = AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout=self._layout)
        frame.sample_rate = RATE
        frame.pts = self._encoded
        frame.time_base = Fraction(1, RATE)
        self._encoded += frame.samples
        return b"".join(bytes(packet) for packet in self._encoder.encode(frame))


def _context(mode: str) -> AudioCodecContext:
    context = CodecContext.create("libopus", "r" if mode == "r" else "w")
    assert isinstance(context, AudioCodecContext)
    return context
