"""The sounds that can be heard beside the agent's voice, and the files that they lie in.

The files are `.au`: a header of 24 bytes, then G.711 µ-law, one byte for a sample. Most players
take them; `models.training.sounds` makes them.
"""

import struct
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Final

import numpy as np
from numpy.typing import NDArray

from voice_loop.ambience import Loop
from voice_loop.audio import Samples

RATE: Final = 16_000

#: Magic number, where the samples begin, how many bytes, encoding, rate, channels.
_HEADER: Final = struct.Struct(">4s5I")
_MAGIC: Final = b".snd"
_MU_LAW: Final = 1


def _values() -> Samples:
    """What each byte of µ-law stands for (ITU-T G.711)."""
    code = ~np.arange(256, dtype=np.uint8)
    exponent, mantissa = (code >> 4 & 7).astype(np.int32), (code & 15).astype(np.int32)
    magnitude = ((mantissa * 8 + 132) << exponent) - 132
    values: Samples = np.where(code & 128, -magnitude, magnitude).astype(np.int16)
    return values


_VALUES: Final = _values()


@cache
def load_sound(sound: str) -> Loop:
    """The sound of this id: the name of its file, whatever folder and ending the id gives it."""
    data = (Path(__file__).parent / f"{PurePosixPath(sound).stem}.au").read_bytes()
    return Loop(decoded(data), RATE)


def decoded(data: bytes) -> Samples:
    """The samples of one of our files."""
    magic, start, size, encoding, rate, channels = _HEADER.unpack_from(data)
    if (magic, encoding, rate, channels) != (_MAGIC, _MU_LAW, RATE, 1):
        raise ValueError(f"not an .au file with one channel of µ-law at {RATE} Hz")
    codes = np.frombuffer(data, dtype=np.uint8, offset=start, count=size)
    samples: Samples = _VALUES[codes]
    return samples


def encoded(samples: Samples) -> bytes:
    """A file of ours with these samples."""
    order = np.argsort(_VALUES, kind="stable")
    levels = _VALUES[order].astype(np.int32)
    bounds: NDArray[np.int32] = (levels[1:] + levels[:-1]) // 2
    codes = order[np.searchsorted(bounds, samples, side="left")].astype(np.uint8)
    return _HEADER.pack(_MAGIC, _HEADER.size, codes.size, _MU_LAW, RATE, 1) + codes.tobytes()
