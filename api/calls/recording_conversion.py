"""A recording in the other format than the one it is kept in, made piece by piece while it is
fetched. Nothing of it touches the disk."""

import struct
import wave
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Final

import av
import numpy as np

from api.calls.recording_formats import Format, OpusWriter
from voice_loop.audio import Samples

#: Of audio in one piece, seconds.
_PIECE_S: Final = 5
#: Of both channels together, bytes per sample.
_WIDTH: Final = 4
#: RIFF, its size, WAVE; `fmt `, its size, PCM, channels, rate, bytes per second and per sample,
#: bits; `data`, its size.
_WAV_HEADER: Final = struct.Struct("<4sI4s4sIHHIIHH4sI")
#: Pre-skip and rate of what went in, from the tenth byte of an Opus header on; and the rate that
#: positions in the file are counted at (RFC 7845, 4 and 5.1).
_OPUS_HEADER: Final = struct.Struct("<10xHI")
_POSITIONS_HZ: Final = 48_000


class ConversionError(Exception):
    """The file is not what its name says."""


@dataclass(frozen=True)
class Conversion:
    """A recording on its way into another format."""

    pieces: Generator[bytes]
    """Each takes tens of milliseconds of a core. Raises ConversionError."""
    size: int | None
    """Bytes of all pieces together, where that is known before."""


def _to_opus(path: Path) -> Conversion:
    with wave.open(str(path), "rb") as file:
        if (file.getnchannels(), file.getsampwidth()) != (2, 2):
            raise wave.Error("not two channels of 16 bits")
    return Conversion(_opus_pieces(path), None)


def _to_wav(path: Path) -> Conversion:
    with av.open(path) as file:
        (stream,) = file.streams.audio
        skipped, rate = _OPUS_HEADER.unpack_from(stream.codec_context.extradata or b"")
        frames = max(0, (stream.duration or 0) - skipped) * rate // _POSITIONS_HZ
    return Conversion(_wav_pieces(path, rate, frames), _WAV_HEADER.size + frames * _WIDTH)


_TO: Final[Mapping[Format, Callable[[Path], Conversion]]] = {"opus": _to_opus, "wav": _to_wav}
#: What the readers raise of a file that is broken.
_BROKEN: Final = (av.FFmpegError, wave.Error, EOFError, struct.error, ValueError, LookupError)


def convert(path: Path, wanted: Format) -> Conversion:
    """The recording at `path`, which is in the other format, as `wanted`; blocks.

    The rate stays. WAV gets the length that the Ogg file tells of. Raises ConversionError, OSError.
    """
    try:
        begun = _TO[wanted](path)
        return Conversion(_checked(begun.pieces), begun.size)
    except _BROKEN as error:
        raise ConversionError(f"{path.name}: {error!r}") from error


def _checked(pieces: Generator[bytes]) -> Generator[bytes]:
    try:
        yield from pieces
    except _BROKEN as error:
        raise ConversionError(repr(error)) from error


def _opus_pieces(path: Path) -> Generator[bytes]:
    with wave.open(str(path), "rb") as file:
        sink = _Sink()
        with closing(OpusWriter(sink, file.getframerate())) as writer:
            while data := file.readframes(_PIECE_S * file.getframerate()):
                whole = data[: len(data) // _WIDTH * _WIDTH]
                writer.write(np.frombuffer(whole, "<i2").reshape(-1, 2))
                yield sink.take()
        yield sink.take()


def _wav_pieces(path: Path, rate: int, frames: int) -> Generator[bytes]:
    size = frames * _WIDTH
    yield _WAV_HEADER.pack(
        b"RIFF", size + _WAV_HEADER.size - 8, b"WAVE",
        b"fmt ", 16, 1, 2, rate, rate * _WIDTH, _WIDTH, 16,
        b"data", size,
    )  # fmt: skip
    kept = bytearray()
    for samples in _decoded(path, rate):
        kept += samples.astype("<i2").tobytes()
        if len(kept) >= _PIECE_S * rate * _WIDTH:
            piece, kept = bytes(kept[:size]), bytearray()
            size -= len(piece)
            yield piece
    kept += bytes(max(0, size - len(kept)))
    yield bytes(kept[:size])


def _decoded(path: Path, rate: int) -> Iterator[Samples]:
    """Shaped (n, 2)."""
    resampler = av.AudioResampler("s16", "stereo", rate)
    with av.open(path) as file:
        for frame in chain(file.decode(audio=0), (None,)):
            for part in resampler.resample(frame):
                yield part.to_ndarray().astype(np.int16).reshape(-1, 2)


class _Sink:
    """A file of which is taken what has been written so far."""

    def __init__(self) -> None:
        self._written = bytearray()

    def write(self, data: bytes) -> int:
        self._written += data
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""

    def take(self) -> bytes:
        taken, self._written = bytes(self._written), bytearray()
        return taken
