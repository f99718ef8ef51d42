"""Engines of a known pace, so that the figures of turn-taking do not hang on models.

The recogniser gives the words that the caller said in the time that it is asked about, the language
model its replies in turn. The voice speaks the words of a real one, each as long as its letters,
over a breath that never stops: so whoever hears the line can tell how many words have left, and
every silence is the agent's doing.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any, Final

import numpy as np

from api.lab.scenario import Stub
from voice_loop.audio import Samples
from voice_loop.ports import TextToSpeech, Transcript
from voice_loop.prompts import Message
from voice_loop.tools import ToolSpec

#: How long each letter of the stub voice lasts, and each space.
LETTER_MS: Final = 64
#: Peak of its breath: below what counts as voiced, above what A-law sends for silence.
_BREATH: Final = 100
#: What a recogniser makes of a noise, sooner or later.
NOISE_WORDS: Final = "the rest of the"
#: The end of an utterance lies up to so long before it is asked about.
_BEFORE_S: Final = 0.5


class StubRecogniser:
    """Hears what the caller of one call said (`voice_loop.ports.SpeechToText`)."""

    def __init__(self, stub: Stub) -> None:
        self._stub = stub
        self.said: list[tuple[float, str]] = []
        """All words of the call so far, each with its moment, `time.monotonic()` seconds."""

    async def transcribe(self, speech: Samples, rate: int, language: str) -> Transcript:  # noqa: ARG002
        """Gives words for everything, as a recogniser does that is given noise."""
        end = time.monotonic()
        await asyncio.sleep(self._stub.transcript_ms / 1000)
        start = end - speech.size / rate - _BEFORE_S
        words = [word for at, word in self.said if start <= at < end]
        if not words:
            return Transcript(NOISE_WORDS, 0.5)
        return Transcript(" ".join(words), 1.0)


class StubLanguageModel:
    """Says its replies, one after the other (`voice_loop.ports.LanguageModel`).

    Which is next is told by how many the chat has already, so that giving one up changes nothing.
    """

    def __init__(self, stub: Stub) -> None:
        self._stub = stub

    async def stream(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int,  # noqa: ARG002
        schema: Mapping[str, Any] | None = None,
        tools: Sequence[ToolSpec] = (),  # noqa: ARG002
        temperature: float = 0.0,  # noqa: ARG002
        cache_key: str | None = None,  # noqa: ARG002
    ) -> AsyncGenerator[str, None]:
        """Word by word."""
        await asyncio.sleep(self._stub.first_token_ms / 1000)
        if schema is not None:
            yield "{}"
            return
        before = sum(one["role"] == "assistant" for one in messages)
        for word in self._stub.replies[before % len(self._stub.replies)].split():
            yield f"{word} "
            await asyncio.sleep(self._stub.word_ms / 1000)

    def release(self, cache_key: str) -> None:
        """Nothing is kept."""


class StubVoice:
    """Speaks with another voice's words at a pace of its own (`voice_loop.ports.TextToSpeech`)."""

    def __init__(self, stub: Stub, voice: TextToSpeech, words: dict[str, Samples]) -> None:
        """
        Args:
            stub: its pace.
            voice: whose words it speaks.
            words: those that were spoken already, by whichever of them.
        """
        self._stub = stub
        self._voice = voice
        self._words = words

    @property
    def rate(self) -> int:
        """Of the voice whose words it speaks."""
        return self._voice.rate

    async def stream(self, text: str, speed: float = 1.0) -> AsyncGenerator[Samples, None]:  # noqa: ARG002
        """A chunk for each word; the first after its time. Raises EngineError."""
        words = text.split()
        began = time.monotonic()
        for index, word in enumerate(words):
            spoken = await self._word(word)
            if index == 0:
                left = self._stub.first_audio_ms / 1000 - (time.monotonic() - began)
                await asyncio.sleep(max(0.0, left))
            yield spoken

    async def warm_up(self, text: str) -> None:
        """Speak its words once. Raises EngineError."""
        for word in text.split():
            await self._word(word)

    async def _word(self, word: str) -> Samples:
        if word not in self._words:
            chunks = [one async for one in self._voice.stream(word)]
            self._words[word] = _of_length(
                np.concatenate(chunks), self.rate * length_ms(word) // 1000
            )
        return self._words[word]


def length_ms(word: str) -> int:
    """How long the stub voice takes for a word and the space after it."""
    return LETTER_MS * (len(word) + 1)


def _of_length(word: Samples, size: int) -> Samples:
    """A word's loudest stretch of that size, faded at its ends, on the breath."""
    energy = np.cumsum(np.concatenate([[0.0], np.square(word.astype(np.float64))]))
    start = int(np.argmax(energy[size:] - energy[:-size])) if word.size > size else 0
    part = np.zeros(size)
    part[: min(size, word.size)] = word[start : start + size]
    fade = size // 16
    part[:fade] *= np.linspace(0, 1, fade)
    part[-fade:] *= np.linspace(1, 0, fade)
    breath = np.random.default_rng(1).integers(-_BREATH, _BREATH, size)
    return np.clip(part + breath, -32768, 32767).astype(np.int16)
