"""The engines that agents can name, and how a voice sounds."""

from starlette.responses import Response

from api.base.problems import FieldError, invalid, pointer
from api.http.endpoint import Answer, EndpointTable, Exchange
from api.resources.answer import Page
from api.resources.engine import ModelObject, TranscriberObject, VoiceObject, VoicePreview
from api.resources.page import PageOf
from api.routes.voice_preview import spoken
from voice_loop.audio import wav_bytes

route = EndpointTable("engines")


@route("GET", "/v1/models", "List language models")
async def list_models(exchange: Exchange) -> Page[ModelObject]:
    """The language models that `llm.model` of an agent can name, the default first."""
    engines = exchange.services.engines
    models = (
        ModelObject(name=one.name, kind=one.place, aliases=engines.aliases_of(one.name))
        for one in engines.llms
    )
    return Page[ModelObject].of(PageOf(tuple(models)))


@route("GET", "/v1/transcribers", "List transcribers")
async def list_transcribers(exchange: Exchange) -> Page[TranscriberObject]:
    """The speech recognition that `transcriber.model` of an agent can name; of a language, the
    default first.
    """
    engines = exchange.services.engines
    transcribers = (
        TranscriberObject(
            name=one.name,
            kind=one.place,
            aliases=engines.aliases_of(one.name),
            languages=list(one.languages),
        )
        for one in engines.transcribers
    )
    return Page[TranscriberObject].of(PageOf(tuple(transcribers)))


@route("GET", "/v1/voices", "List voices")
async def list_voices(exchange: Exchange) -> Page[VoiceObject]:
    """The voices that `voice.id` of an agent can name; of a language, the default first."""
    engines = exchange.services.engines
    voices = (
        VoiceObject(
            name=one.name,
            kind=one.place,
            aliases=engines.aliases_of(one.name),
            languages=list(one.languages),
            rate=one.engine.rate,
        )
        for one in engines.voices
    )
    return Page[VoiceObject].of(PageOf(tuple(voices)))


@route(
    "POST",
    "/v1/voices/preview",
    "Hear a voice",
    {
        200: Answer("What was asked for, spoken.", media_type="audio/wav"),
        422: "A field is wrong, or there is no such voice.",
        503: "The voice fails, or is busy.",
    },
    scope="call",
    keeps_answer=True,  # sound is not kept: the same is spoken again
)
async def preview_voice(exchange: Exchange, asked: VoicePreview) -> Response:
    """As a call would hear it, before the telephone's band: a WAV with one channel."""
    engines = exchange.services.engines
    language = asked.language
    if language is None and asked.voice is None:
        language = exchange.services.settings.calls.default_language
    if (wrong := engines.problem("voice", asked.voice, language)) is not None:
        place = pointer("language" if asked.voice is None else "voice")
        raise invalid([FieldError(wrong, place, code="provider_not_configured")])
    voice = engines.voice(asked.voice, language)
    if language is None and asked.voice is not None:
        language = engines.languages_of(asked.voice)[0]
    speech = await spoken(
        voice, asked.text, asked.speed or 1.0, asked.volume or 1.0, language or ""
    )
    return Response(wav_bytes(speech, voice.rate), media_type="audio/wav")


ENDPOINTS = route.endpoints
