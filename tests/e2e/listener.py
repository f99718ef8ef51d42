"""A speech recogniser on the network for tests whose callees say what the starter recogniser was
not taught: it knows recordings by their sound, and answers with the words of what it has heard of
them. It speaks the OpenAI-compatible protocol.
"""

import io
import wave
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from starlette.applications import Starlette
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from api.http.server import http_server, listen
from voice_loop.audio import resample

RATE = 8000
#: Recordings are looked for in pieces of this length, and are heard where they fit so well.
_PIECE = RATE * 2 // 5
_FITS = 0.6
#: Samples of the longest utterance.
_LONGEST = 1 << 18


@dataclass(frozen=True)
class _Piece:
    words: str
    starts: float
    """Where it begins in its recording, in samples."""
    spectrum: NDArray[np.complex64]
    power: float


class Listener:
    """Knows some recordings.

    Args:
        recordings: WAV files of 8 kHz, and what they say.
    """

    def __init__(self, recordings: Mapping[Path, str]) -> None:
        self.url = ""
        self._pieces = [piece for path, text in recordings.items() for piece in _cut(path, text)]

    def hear(self, sound: NDArray[np.float32]) -> str:
        """The words of all that it knows in a sound of 8 kHz, in order."""
        padded = np.zeros(_LONGEST, np.float32)
        padded[: sound.size] = sound[-_LONGEST:]
        spectrum = np.fft.rfft(padded)
        powers = np.concatenate([[0.0], np.cumsum(padded.astype(np.float64) ** 2)])
        found: list[tuple[int, str]] = []
        for piece in self._pieces:
            match = np.fft.irfft(spectrum * piece.spectrum.conj())[: _LONGEST - _PIECE]
            there = powers[_PIECE:-1] - powers[: -_PIECE - 1]
            fit = match / np.sqrt(np.maximum(there, 1e3) * piece.power)
            if piece.words and float(fit.max()) >= _FITS:
                found.append((int(fit.argmax()), piece.words))
        return " ".join(words for _, words in sorted(found))

    async def transcriptions(self, request: Request) -> JSONResponse:
        async with request.form() as form:
            file = form["file"]
            assert isinstance(file, UploadFile)
            with wave.open(io.BytesIO(await file.read())) as audio:
                rate = audio.getframerate()
                samples = np.frombuffer(audio.readframes(audio.getnframes()), "<i2")
        sound = resample(samples.astype(np.int16), rate, RATE).astype(np.float32)
        return JSONResponse({"text": self.hear(sound)})


def _cut(path: Path, text: str) -> list[_Piece]:
    """Cut a recording into pieces, each with its share of the words."""
    with wave.open(str(path)) as audio:
        assert audio.getframerate() == RATE
        sound = np.frombuffer(audio.readframes(audio.getnframes()), "<i2").astype(np.float32)
    words = text.split()
    pieces = []
    for at in range(0, sound.size - _PIECE, _PIECE):
        part = sound[at : at + _PIECE]
        first, last = (round(end / sound.size * len(words)) for end in (at, at + _PIECE))
        if at + 2 * _PIECE >= sound.size:
            last = len(words)
        power = float(part @ part)
        if power / _PIECE > 1e4:
            padded = np.zeros(_LONGEST, np.float32)
            padded[:_PIECE] = part
            spectrum = np.fft.rfft(padded).astype(np.complex64)
            pieces.append(_Piece(" ".join(words[first:last]), at, spectrum, power))
        elif pieces:
            rest = " ".join([pieces[-1].words, *words[first:last]])
            pieces[-1] = _Piece(rest, pieces[-1].starts, pieces[-1].spectrum, pieces[-1].power)
    return pieces


@asynccontextmanager
async def listening(recordings: Mapping[Path, str]) -> AsyncIterator[Listener]:
    """Serve one on loopback."""
    one = Listener(recordings)
    app = Starlette(
        routes=[Route("/v1/audio/transcriptions", one.transcriptions, methods=["POST"])]
    )
    with listen("127.0.0.1", 0) as listener:
        async with http_server(app, listener):
            one.url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
            yield one
