"""A speech recogniser on the network for tests whose callees say what the starter recogniser was
not taught: it knows recordings by their sound, and answers with the words of what it has heard of
them. It speaks the OpenAI-compatible protocol.
"""

import io
import wave
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from api.http.server import http_server, listen
from tests.models.openai_peer import read_form
from voice_loop.audio import resample

RATE = 8000
#: Recordings are looked for in pieces of this length, and are heard where they fit so well.
_PIECE = RATE * 2 // 5
_FITS = 0.85


class _Piece:
    """A piece of a recording, and the words that are said in it."""

    def __init__(self, words: str, sound: NDArray[np.float32]) -> None:
        self.words = words
        self.power = float(sound @ sound)
        self._sound = sound
        self._spectra: dict[int, NDArray[np.complexfloating]] = {}

    def spectrum(self, size: int) -> NDArray[np.complexfloating]:
        """Its conjugate, of so many samples."""
        if size not in self._spectra:
            self._spectra[size] = np.fft.rfft(self._sound, size).conj()
        return self._spectra[size]


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
        size = 1 << int(sound.size + _PIECE).bit_length()
        spectrum = np.fft.rfft(sound, size)
        powers = np.concatenate([[0.0], np.cumsum(sound.astype(np.float64) ** 2)])
        there = powers[_PIECE:] - powers[:-_PIECE]
        found: list[tuple[int, str]] = []
        for piece in self._pieces if there.size else ():
            match = np.fft.irfft(spectrum * piece.spectrum(size), size)[: there.size]
            fit = match / np.sqrt(np.maximum(there, piece.power / 4) * piece.power)
            if float(fit.max()) >= _FITS:
                found.append((int(fit.argmax()), piece.words))
        return " ".join(words for _, words in sorted(found) if words)

    async def transcriptions(self, request: Request) -> JSONResponse:
        _, file = read_form(request.headers["content-type"], await request.body())
        with wave.open(io.BytesIO(file)) as audio:
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
        said = " ".join(words[first:last])
        if float(part @ part) / _PIECE > 1e4:
            pieces.append(_Piece(said, part))
        elif pieces:
            pieces[-1].words = f"{pieces[-1].words} {said}".strip()
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
