"""The codecs that a media leg may speak, between payloads and int16 samples.

G.711 goes through tables: a byte is a sample, so decoding is one look-up among 256 and encoding
one among 65536. Asterisk's wideband `slin16` is linear samples in network byte order; FreeSWITCH's
`unicast` is linear samples, too, as a little-endian machine keeps them in memory.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from pbx.g722 import G722Coder
from voice_loop.audio import Doubler, Halver, Samples, frame_samples


class Coder(Protocol):
    """Reads and writes the payloads of one leg."""

    def decode(self, payload: bytes) -> Samples:
        """Samples of the next payload."""
        ...

    def encode(self, samples: Samples) -> bytes:
        """Payload of the next int16 samples. Raises ValueError for other than int16."""
        ...


@dataclass(frozen=True, eq=False)
class Encoding:
    """How samples lie in a payload."""

    name: str
    """The encoding's name as in SDP: `PCMU`, `PCMA`, `L16`; ours where SDP has none."""
    rate: int
    """Samples per second."""
    sample_bytes: int
    """Bytes of payload per sample."""
    linear: np.dtype[np.int16] = field(default=np.dtype(">i2"), repr=False, kw_only=True)
    """Byte order of linear samples: RTP's is the network's (RFC 3551 §4.5.11)."""
    _decoding: NDArray[np.int16] | None = field(default=None, repr=False, kw_only=True)
    _encoding: NDArray[np.uint8] | None = field(default=None, repr=False, kw_only=True)

    def coder(self) -> Coder:
        """For one leg. Where no payload depends on another, this serves them all."""
        return self

    @property
    def frame_bytes(self) -> int:
        """Bytes of payload in one 20 ms frame."""
        return frame_samples(self.rate) * self.sample_bytes

    def decode(self, payload: bytes) -> Samples:
        """Samples of a payload of any length; half a sample at the end is left out."""
        if self._decoding is not None:
            return self._decoding.take(np.frombuffer(payload, dtype=np.uint8))
        whole = len(payload) // 2
        return np.frombuffer(payload, dtype=self.linear, count=whole).astype(np.int16)

    def encode(self, samples: Samples) -> bytes:
        """Payload of int16 samples of any length. Raises ValueError for other than int16."""
        if samples.dtype != np.int16:
            raise ValueError(f"audio must be int16 samples, not {samples.dtype}")
        if self._encoding is not None:
            return self._encoding.take(samples.view(np.uint16)).tobytes()
        return samples.astype(self.linear, copy=False).tobytes()


@dataclass(frozen=True, eq=False)
class Codec(Encoding):
    """An encoding that RTP carries (RFC 3551 §4.5, and Asterisk's own payload type 118)."""

    payload_type: int
    asterisk_format: str
    """What `UnicastRTP/…/c(<format>)` calls it."""

    @property
    def clock(self) -> int:
        """RTP timestamp units per second."""
        return self.rate


class G722Codec(Codec):
    """G.722, whose RTP clock is half its rate by an old mistake (RFC 3551 §4.5.2)."""

    @property
    def frame_bytes(self) -> int:
        return super().frame_bytes // 2

    @property
    def clock(self) -> int:
        return self.rate // 2

    def coder(self) -> Coder:
        return G722Coder()

    def decode(self, payload: bytes) -> Samples:
        """Samples of a first payload."""
        return self.coder().decode(payload)

    def encode(self, samples: Samples) -> bytes:
        """A first payload."""
        return self.coder().encode(samples)


def _mu_law_decoding() -> NDArray[np.int16]:
    """G.711 µ-law: 8 segments of 16 steps, bits inverted, biased by 33 (here × 4 = 132)."""
    code = ~np.arange(256, dtype=np.uint8)
    exponent = (code >> 4) & 7
    mantissa = (code & 15).astype(np.int32)
    magnitude = (((mantissa << 3) + 132) << exponent) - 132
    return np.where(code & 0x80, -magnitude, magnitude).astype(np.int16)


def _a_law_decoding() -> NDArray[np.int16]:
    """G.711 A-law: as µ-law without bias; even bits inverted, the first segment is linear."""
    code = np.arange(256, dtype=np.uint8) ^ 0x55
    exponent = ((code >> 4) & 7).astype(np.int32)
    mantissa = (code & 15).astype(np.int32)
    linear = (mantissa << 4) + 8
    magnitude = np.where(exponent == 0, linear, (linear + 256) << np.maximum(exponent - 1, 0))
    return np.where(code & 0x80, magnitude, -magnitude).astype(np.int16)


def _nearest(decoding: NDArray[np.int16], zero: int) -> NDArray[np.uint8]:
    """The code of the nearest value for each int16, indexed by its bits as uint16.

    Args:
        decoding: value of each of the 256 codes.
        zero: the code for sample 0, where two codes may be equally near.
    """
    order = np.argsort(decoding, kind="stable")
    values = decoding[order].astype(np.int32)
    samples = np.arange(65536, dtype=np.uint16).view(np.int16).astype(np.int32)
    codes: NDArray[np.uint8] = order[
        np.searchsorted((values[:-1] + values[1:]) / 2, samples)
    ].astype(np.uint8)
    codes[0] = zero
    return codes


_MU_LAW = _mu_law_decoding()
_A_LAW = _a_law_decoding()

PCMU: Final = Codec(
    "PCMU", 8000, 1, 0, "ulaw", _decoding=_MU_LAW, _encoding=_nearest(_MU_LAW, zero=0xFF)
)
PCMA: Final = Codec(
    "PCMA", 8000, 1, 8, "alaw", _decoding=_A_LAW, _encoding=_nearest(_A_LAW, zero=0xD5)
)
SLIN16: Final = Codec("L16", 16000, 2, 118, "slin16")
G722: Final = G722Codec("G722", 16000, 1, 9, "g722")

#: Every RTP codec by the name that Asterisk gives it.
CODECS: Final = {codec.asterisk_format: codec for codec in (PCMU, PCMA, SLIN16, G722)}


def line_codec(formats: Iterable[str], *, wideband: bool = False) -> Codec:
    """What to speak with a channel of those formats, as Asterisk names them: the first of G.711,
    µ-law where there is none; with `wideband` G.722 before those, where it is one of them."""
    names = tuple(formats)
    if wideband and G722.asterisk_format in names:
        return G722
    return next((CODECS[one] for one in names if one in ("ulaw", "alaw")), PCMU)


class _WidenedCoder:
    """8 kHz on the wire, 16 kHz for those who hear and speak."""

    def __init__(self, wire: Encoding) -> None:
        self._wire = wire
        self._doubler = Doubler()
        self._halver = Halver()

    def decode(self, payload: bytes) -> Samples:
        return self._doubler.push(self._wire.decode(payload))

    def encode(self, samples: Samples) -> bytes:
        return self._wire.encode(self._halver.push(samples))


class WidenedEncoding(Encoding):
    """Linear samples at 8 kHz, of which each is two at 16 kHz for those who hear and speak."""

    def coder(self) -> Coder:
        return _WidenedCoder(UNICAST8)


#: FreeSWITCH's `unicast` beside a channel whose codec runs at 8 kHz, and at 16 kHz.
UNICAST8: Final = Encoding("unicast8", 8000, 2, linear=np.dtype("<i2"))
UNICAST16: Final = Encoding("unicast16", 16000, 2, linear=np.dtype("<i2"))
#: The first of them, on a call that was to be at 16 kHz.
UNICAST8_WIDENED: Final = WidenedEncoding("unicast8", 16000, 1, linear=np.dtype("<i2"))
