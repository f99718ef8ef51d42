"""A voice behind `/audio/speech`."""

import asyncio
import struct
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final, Literal

import httpx
import numpy as np

from models.openai.endpoint import Endpoint
from voice_loop.audio import Resampler, Samples

#: No clause lasts longer, seconds.
_LONGEST_S: Final = 120
#: A WAV header is far shorter, bytes.
_MOST_HEADER: Final = 65536
_RIFF: Final = 12
_MARK: Final = b"RIFF"
_CHUNK: Final = struct.Struct("<4sI")
_FORMAT: Final = struct.Struct("<HHIIHH")

Coding = Literal["pcm", "wav"]


class OpenAiSpeech:
    """A voice on another machine (`voice_loop.ports.TextToSpeech`).

    Args:
        endpoint: where it is.
        client: what its requests go through.
        voice: the voice's name there.
        rate: samples per second of the `pcm` that it sends (16 bits, little-endian, mono); of a
            `wav`, which tells its own, what it is brought to.
        coding: what it is asked for.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        client: httpx.AsyncClient,
        voice: str,
        rate: int,
        coding: Coding = "pcm",
    ) -> None:
        self._endpoint = endpoint
        self._client = client
        self._voice = voice
        self._rate = rate
        self._coding = coding

    @property
    def rate(self) -> int:
        """Samples per second of what it speaks."""
        return self._rate

    async def reach(self) -> None:
        """Ask whether the server is there (`models.probing.Reachable`)."""
        await self._endpoint.reach(self._client)

    async def stream(self, text: str, speed: float = 1.0) -> AsyncGenerator[Samples, None]:
        """Speak one clause; see the port."""
        room = _LONGEST_S * self._rate
        async with aclosing(self._chunks(text, speed)) as chunks:
            while True:
                try:
                    async with asyncio.timeout(self._endpoint.timeout_s):
                        chunk = await anext(chunks, None)
                except TimeoutError:
                    raise self._endpoint.too_late() from None
                if chunk is None:
                    return
                room -= chunk.size
                if room < 0:
                    raise self._endpoint.error("the speech does not end")
                yield chunk

    async def _chunks(self, text: str, speed: float) -> AsyncGenerator[Samples, None]:
        if not text.strip():
            return
        body = {
            "model": self._endpoint.model,
            "voice": self._voice,
            "input": text,
            "response_format": self._coding,
            "speed": speed,
        }
        async with self._endpoint.post(self._client, "audio/speech", json=body) as response:
            held, resampler = b"", None
            async for data in response.aiter_bytes():
                held += data
                if resampler is None:
                    if (found := self._begin(held)) is None:
                        continue
                    begin, source_rate = found
                    held = held[begin:]
                    resampler = Resampler(source_rate, self._rate)
                whole = len(held) & ~1
                chunk = resampler.push(np.frombuffer(held[:whole], "<i2").astype(np.int16))
                held = held[whole:]
                if chunk.size:
                    yield chunk
            if resampler is None:
                raise self._endpoint.error("no sound came")
            rest = resampler.push(np.zeros(0, np.int16), last=True)
            if rest.size:
                yield rest

    def _begin(self, data: bytes) -> tuple[int, int] | None:
        """Where the samples begin, and their rate; None while that cannot be said."""
        if len(data) < len(_MARK):
            return None
        # Some servers send a WAV whatever they are asked for.
        if self._coding == "pcm" and not data.startswith(_MARK):
            return 0, self._rate
        return wav_header(data)


def wav_header(data: bytes) -> tuple[int, int] | None:
    """Where the samples of a WAV begin, and its rate; None while its header is not whole.

    Raises ValueError for what is no WAV of 16 bits and one channel.
    """
    if data[:4] != _MARK[: len(data)] or data[8:12] != b"WAVE"[: max(0, len(data) - 8)]:
        raise ValueError("what came is no WAV")
    at, rate = _RIFF, None
    while len(data) >= at + _CHUNK.size:
        name, size = _CHUNK.unpack_from(data, at)
        at += _CHUNK.size
        if name == b"data":
            if rate is None:
                raise ValueError("the WAV has no format")
            return at, rate
        if name == b"fmt " and len(data) >= at + _FORMAT.size:
            coding, channels, rate, _, _, bits = _FORMAT.unpack_from(data, at)
            if (coding, channels, bits) != (1, 1, 16):
                raise ValueError("the WAV is not of 16 bits and one channel")
        at += size + size % 2
    if len(data) > _MOST_HEADER:
        raise ValueError("the WAV has no samples")
    return None
