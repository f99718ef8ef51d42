"""The engines that agents can name (X-OI-8), and how a voice sounds (X-RV-4)."""

import asyncio
import random
from collections.abc import Iterable
from contextlib import aclosing
from typing import Final

import numpy as np
from pydantic import BaseModel
from starlette.responses import JSONResponse, Response

from api.body import parse_json
from api.endpoint import Answer, Endpoint, Exchange
from api.engine_objects import (
    ModelList,
    ModelObject,
    TranscriberList,
    TranscriberObject,
    VoiceList,
    VoiceObject,
    VoicePreview,
)
from api.fields import parse_fields
from api.problems import FieldError, Problem, invalid, pointer
from voice_loop.ambience import Ambience, AmbienceConfig
from voice_loop.audio import Samples, frame_samples, wav_bytes
from voice_loop.ports import EngineError, TextToSpeech

#: Previews stand in line with the calls' sentences: not many at one time.
_TURNS: Final = asyncio.Semaphore(2)
_TIMEOUT_S: Final = 60.0


async def list_models(exchange: Exchange) -> Response:
    """The language models that `llm.model` of an agent can name."""
    engines = exchange.services.engines
    return _list(
        ModelObject(name=one.name, kind=one.place, aliases=engines.aliases_of(one.name))
        for one in engines.llms
    )


async def list_transcribers(exchange: Exchange) -> Response:
    """The speech recognition that `transcriber.model` of an agent can name."""
    engines = exchange.services.engines
    return _list(
        TranscriberObject(
            name=one.name,
            kind=one.place,
            aliases=engines.aliases_of(one.name),
            languages=list(one.languages),
        )
        for one in engines.transcribers
    )


async def list_voices(exchange: Exchange) -> Response:
    """The voices that `voice.id` of an agent can name."""
    engines = exchange.services.engines
    return _list(
        VoiceObject(
            name=one.name,
            kind=one.place,
            aliases=engines.aliases_of(one.name),
            languages=list(one.languages),
            rate=one.engine.rate,
        )
        for one in engines.voices
    )


async def preview_voice(exchange: Exchange) -> Response:
    """As a call would hear it, before the telephone's band: a WAV with one channel."""
    asked = parse_fields(VoicePreview, parse_json(exchange.body), free_text=frozenset({"text"}))
    engines = exchange.services.engines
    language = asked.language
    if language is None and asked.voice is None:
        language = exchange.services.settings.calls.default_language
    if (wrong := engines.problem("voice", asked.voice, language)) is not None:
        place = pointer("language" if asked.voice is None else "voice")
        raise invalid([FieldError(wrong, place, code="provider_not_configured")])
    voice = engines.voice(asked.voice, language)
    try:
        async with asyncio.timeout(_TIMEOUT_S), _TURNS:
            spoken = await _speak(voice, asked.text, asked.speed or 1.0)
    except TimeoutError as error:
        raise _unavailable(f"no voice was free within {_TIMEOUT_S:.0f} s") from error
    except EngineError as error:
        raise _unavailable(str(error)) from error
    return Response(
        wav_bytes(_louder(spoken, voice.rate, asked.volume or 1.0), voice.rate),
        media_type="audio/wav",
    )


async def _speak(voice: TextToSpeech, text: str, speed: float) -> Samples:
    async with aclosing(voice.stream(text, speed)) as chunks:
        spoken = [chunk async for chunk in chunks]
    return np.concatenate([np.zeros(0, np.int16), *spoken])


def _louder(spoken: Samples, rate: int, volume: float) -> Samples:
    """With the same volume and limiter as in a call."""
    mixer = Ambience(AmbienceConfig(voice_volume=volume), rate, random.Random(0))
    size = frame_samples(rate)
    frames = np.pad(spoken, (0, -spoken.size % size)).reshape(-1, size)
    mixed = [mixer.mix(frame, thinking=False) for frame in frames]
    return np.concatenate([np.zeros(0, np.int16), *(one for one in mixed if one is not None)])


def _unavailable(detail: str) -> Problem:
    return Problem(503, "engine_unavailable", detail, headers={"Retry-After": "5"})


def _list(objects: Iterable[BaseModel]) -> Response:
    data = [one.model_dump() for one in objects]
    return JSONResponse({"data": data, "has_more": False, "next_cursor": None})


ENDPOINTS = (
    Endpoint(
        "GET",
        "/v1/models",
        list_models,
        "List language models",
        "engines",
        {200: Answer("Every model.", ModelList)},
    ),
    Endpoint(
        "GET",
        "/v1/transcribers",
        list_transcribers,
        "List transcribers",
        "engines",
        {200: Answer("Every transcriber.", TranscriberList)},
    ),
    Endpoint(
        "GET",
        "/v1/voices",
        list_voices,
        "List voices",
        "engines",
        {200: Answer("Every voice.", VoiceList)},
    ),
    Endpoint(
        "POST",
        "/v1/voices/preview",
        preview_voice,
        "Hear a voice",
        "engines",
        {
            200: Answer("What was asked for, spoken.", media_type="audio/wav"),
            400: Answer("The body is not JSON."),
            422: Answer("A field is wrong, or there is no such voice."),
            503: Answer("The voice fails, or is busy."),
        },
        body=VoicePreview,
        scope="call",
        keeps_answer=True,  # sound is not kept: the same is spoken again
    ),
)
