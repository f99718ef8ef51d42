"""The engines that agents can name (X-OI-8), and how a voice sounds (X-RV-4)."""

from collections.abc import Iterable

from pydantic import BaseModel
from starlette.responses import JSONResponse, Response

from api.base.fields import parse_fields
from api.base.problems import FieldError, invalid, pointer
from api.http.body import parse_json
from api.http.endpoint import Answer, Endpoint, Exchange
from api.resources.engine import (
    ModelList,
    ModelObject,
    TranscriberList,
    TranscriberObject,
    VoiceList,
    VoiceObject,
    VoicePreview,
)
from api.routes.voice_preview import spoken
from voice_loop.audio import wav_bytes


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
    asked = parse_fields(VoicePreview, parse_json(exchange.body))
    engines = exchange.services.engines
    language = asked.language
    if language is None and asked.voice is None:
        language = exchange.services.settings.calls.default_language
    if (wrong := engines.problem("voice", asked.voice, language)) is not None:
        place = pointer("language" if asked.voice is None else "voice")
        raise invalid([FieldError(wrong, place, code="provider_not_configured")])
    voice = engines.voice(asked.voice, language)
    speech = await spoken(voice, asked.text, asked.speed or 1.0, asked.volume or 1.0)
    return Response(wav_bytes(speech, voice.rate), media_type="audio/wav")


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
