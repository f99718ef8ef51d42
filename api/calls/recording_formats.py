"""Audio files of two channels that grow while a call lasts, and can be played at any moment."""

import wave
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Final, Literal, Protocol

import av
import numpy as np

from voice_loop.audio import Samples

Format = Literal["wav", "opus"]

#: Bits per second of Opus for both channels, by rate: about a tenth of what WAV takes.
_BIT_RATES: Final = {8000: 28_000, 16_000: 40_000}
#: Of an Ogg page, microseconds: what a crash loses.
_PAGE_US: Final = 500_000


class Sink(Protocol):
    """What an encoder writes to."""

    def write(self, data: bytes, /) -> int: ...

    def flush(self) -> None: ...


class AudioWriter(Protocol):
    """Writes one file."""

    def write(self, samples: Samples) -> None:
        """Append samples, shaped (n, 2). Raises OSError."""
        ...

    def close(self) -> None:
        """Finish the file, which stays open. Raises OSError."""
        ...


class WavWriter:
    """PCM of 16 bits; its header is right after every `write`."""

    def __init__(self, file: BinaryIO, rate: int) -> None:
        # Outlives this call on purpose: `close` ends it. `wave.open` of a path that cannot be
        # written would complain once more when it is collected.
        self._wave = wave.open(file, "wb")  # noqa: SIM115
        self._wave.setnchannels(2)
        self._wave.setsampwidth(2)
        self._wave.setframerate(rate)

    def write(self, samples: Samples) -> None:
        self._wave.writeframes(samples.astype("<i2").tobytes())

    def close(self) -> None:
        self._wave.close()


class OpusWriter:
    """Opus in Ogg (RFC 7845), page by page, so that what a crash leaves can be played."""

    def __init__(self, file: Sink, rate: int) -> None:
        self._file = file
        self._rate = rate
        self._written = 0
        paged = {"flush_packets": "1", "page_duration": str(_PAGE_US)}
        self._container = av.open(file, "w", format="ogg", options=paged)
        # Its other mode, for music, takes twice the bits and no less of the CPU.
        speech = {"application": "voip", "compression_level": "5"}
        self._stream = self._container.add_stream(
            "libopus", rate=rate, layout="stereo", options=speech
        )
        self._stream.bit_rate = _BIT_RATES[rate]

    def write(self, samples: Samples) -> None:
        interleaved = np.ascontiguousarray(samples).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(interleaved, format="s16", layout="stereo")
        frame.sample_rate, frame.pts = self._rate, self._written
        self._written += len(samples)
        self._container.mux(self._stream.encode(frame))
        self._file.flush()

    def close(self) -> None:
        try:
            self._container.mux(self._stream.encode(None))
        finally:
            self._container.close()


@dataclass(frozen=True)
class RecordingFormat:
    """How recordings are kept."""

    ending: str
    """Of file names."""
    media_types: Sequence[str]
    """Its usual name, and others that it goes by."""
    writer: type[WavWriter] | type[OpusWriter]


FORMATS: Final[Mapping[Format, RecordingFormat]] = {
    "wav": RecordingFormat(
        ".wav", ("audio/wav", "audio/x-wav", "audio/wave", "audio/vnd.wave"), WavWriter
    ),
    "opus": RecordingFormat(".opus", ("audio/ogg", "audio/opus", "application/ogg"), OpusWriter),
}
