"""G.722: wideband speech at 64 kbit/s, each octet two samples at 16 kHz (ITU-T G.722, mode 1).

Its two bands are adaptive: what a payload says depends on those before it, so each leg has a coder
of its own. FFmpeg's takes 40 µs to write a frame and 20 to read one.
"""

from fractions import Fraction
from typing import Final

import av
import numpy as np

from voice_loop.audio import Samples

RATE: Final = 16000


class G722Coder:
    """Both ways of one leg."""

    def __init__(self) -> None:
        encoder = av.CodecContext.create("g722", "w")
        decoder = av.CodecContext.create("g722", "r")
        assert isinstance(encoder, av.AudioCodecContext)
        assert isinstance(decoder, av.AudioCodecContext)
        encoder.sample_rate = decoder.sample_rate = RATE
        encoder.format, encoder.layout = "s16", "mono"
        encoder.time_base = Fraction(1, RATE)
        decoder.layout = "mono"
        self._encoder = encoder
        self._decoder = decoder

    def decode(self, payload: bytes) -> Samples:
        """Samples of the next payload, of any length."""
        if not payload:  # to FFmpeg that is the end of all
            return np.zeros(0, np.int16)
        frames = self._decoder.decode(av.Packet(payload))
        return np.concatenate([frame.to_ndarray().reshape(-1) for frame in frames])

    def encode(self, samples: Samples) -> bytes:
        """Payload of the next samples, an even number. Raises ValueError for other than int16."""
        if samples.dtype != np.int16:
            raise ValueError(f"audio must be int16 samples, not {samples.dtype}")
        frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate = RATE
        return b"".join(bytes(packet) for packet in self._encoder.encode(frame))
