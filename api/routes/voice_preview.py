"""How a voice sounds, before the telephone's band."""

import asyncio
import random
from contextlib import aclosing
from typing import Final

import numpy as np

from api.base.problems import Problem
from voice_loop.ambience import Ambience, AmbienceConfig
from voice_loop.audio import Samples, frame_samples
from voice_loop.clauses import clauses
from voice_loop.ports import EngineError, TextToSpeech
from voice_loop.reading import Reader

#: Previews stand in line with the calls' sentences: not many at one time.
_TURNS: Final = asyncio.Semaphore(2)
_TIMEOUT_S: Final = 60.0


async def spoken(
    voice: TextToSpeech, text: str, speed: float, volume: float, language: str
) -> Samples:
    """A text at the voice's rate, as loud as in a call. Raises Problem 503.

    Args:
        voice: whose.
        text: what it says.
        speed: 1 is its own.
        volume: likewise.
        language: that the text is read in, BCP 47 tag or code.
    """
    try:
        async with asyncio.timeout(_TIMEOUT_S), _TURNS:
            speech = await _speak(voice, _read(text, language), speed)
    except TimeoutError as error:
        raise _unavailable(f"no voice was free within {_TIMEOUT_S:.0f} s") from error
    except EngineError as error:
        raise _unavailable(str(error)) from error
    return _louder(speech, voice.rate, volume)


def _read(text: str, language: str) -> str:
    reader = Reader(language)
    return " ".join(reader.read(clause.text).spoken for clause in clauses(text, language)) or text


async def _speak(voice: TextToSpeech, text: str, speed: float) -> Samples:
    async with aclosing(voice.stream(text, speed)) as chunks:
        said = [chunk async for chunk in chunks]
    return np.concatenate([np.zeros(0, np.int16), *said])


def _louder(speech: Samples, rate: int, volume: float) -> Samples:
    """With the same volume and limiter as in a call."""
    mixer = Ambience(AmbienceConfig(voice_volume=volume), rate, random.Random(0))
    size = frame_samples(rate)
    frames = np.pad(speech, (0, -speech.size % size)).reshape(-1, size)
    mixed = [mixer.mix(frame, thinking=False) for frame in frames]
    return np.concatenate([np.zeros(0, np.int16), *(one for one in mixed if one is not None)])


def _unavailable(detail: str) -> Problem:
    return Problem(503, "engine_unavailable", detail, headers={"Retry-After": "5"})
